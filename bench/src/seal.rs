//! Sealing: a thousand values into one file, beside Python's `cryptography`, which is OpenSSL underneath.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use sealed_secrets::documents::put_all;
use sealed_secrets::{Certificate, SealedSecret, seal};

use crate::report::{Report, Row, median};

const ROUNDS: usize = 5;
const VALUES: usize = 1000;
/// Values of one secret.
const KEYS: usize = 10;
const NAMESPACE: &str = "openfaas-fn";
/// A value of some length.
const VALUE: &[u8; 32] = b"correct horse battery staple 123";
/// A certificate of 4,096 bits, as a stage has.
const PEM: &str = include_str!("../../sealed-secrets/tests/upstream/first.pem");

/// The same work, without the file: prints how many seconds it took.
const PEER: &str = r#"
import base64, os, sys, time
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
pem = sys.stdin.read()
key = x509.load_pem_x509_certificate(pem[pem.index("-----BEGIN CERTIFICATE"):].encode()).public_key()
oaep = lambda label: padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=label)
begun = time.perf_counter()
for n in range(int(sys.argv[1])):
    session = os.urandom(32)
    rsa = key.encrypt(session, oaep(b"openfaas-fn/alice-%d" % n))
    aes = AESGCM(session).encrypt(bytes(12), sys.argv[2].encode(), None)
    base64.b64encode(len(rsa).to_bytes(2, "big") + rsa + aes)
print(time.perf_counter() - begun)
"#;

/// Measures 1,000 values.
pub(crate) fn measure(report: &mut Report) -> Result<()> {
    let certificate = Certificate::from_pem(PEM)?;
    let (mut ours, mut peers) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(own(&certificate)?);
        peers.push(peer()?);
    }
    let ratio = median(ours.iter().zip(&peers).map(|(ours, peer)| ours / peer).collect());
    let time = median(ours);
    report.add(Row {
        what: format!("{VALUES} values sealed and put into a file"),
        ours: format!("{:.0} ms", time * 1000.0),
        peer: format!("Python's cryptography, sealed alone {:.0} ms", median(peers) * 1000.0),
        ratio: format!("{ratio:.2}"),
        budget: "≤ 1000 ms".to_owned(),
        holds: time <= 1.0,
    });
    Ok(())
}

fn own(certificate: &Certificate) -> Result<f64> {
    let begun = Instant::now();
    let mut documents = Vec::new();
    for secret in 0..VALUES / KEYS {
        let mut document = SealedSecret {
            name: format!("alice-{secret}"),
            namespace: NAMESPACE.to_owned(),
            ..SealedSecret::default()
        };
        for key in 0..KEYS {
            let sealed = seal(certificate, NAMESPACE, &document.name, VALUE)?;
            document.encrypted_data.insert(format!("key-{key}"), sealed);
        }
        documents.push(document);
    }
    let text = put_all("", &documents)?;
    let took = begun.elapsed().as_secs_f64();
    ensure!(text.len() > VALUES * 700, "the file is too short");
    Ok(took)
}

fn peer() -> Result<f64> {
    use std::io::Write as _;
    use std::process::Stdio;
    let value = std::str::from_utf8(VALUE)?;
    let mut python = Command::new("python3")
        .args(["-c", PEER, &VALUES.to_string(), value])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("python3 cannot be run")?;
    python.stdin.take().context("python3 has no input")?.write_all(PEM.as_bytes())?;
    let output = python.wait_with_output()?;
    ensure!(output.status.success(), "python3 failed: is its module cryptography there?");
    Ok(std::str::from_utf8(&output.stdout)?.trim().parse()?)
}
