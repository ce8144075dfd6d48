//! Certificates from files, handshakes of all kinds, and the plain port beside the encrypted one.

#![expect(clippy::unwrap_used, reason = "test helpers")]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use of_router::tls::{Allowed, Counters, Edge, Settings};
use reqwest::Certificate;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, HandshakeKind, RootCertStore};
use support::encrypted::{Encrypted, Sockets, settings};
use support::{DEADLINE, until};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const ALICE: &str = "alice.cloud.test";

/// Puts a pair for `names` below `path`; it is its own root.
fn put(path: &Path, names: &[&str]) -> Certificate {
    let key = rcgen::KeyPair::generate().unwrap();
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let pem = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap().pem();
    std::fs::write(with(path, "key"), key.serialize_pem()).unwrap();
    std::fs::write(with(path, "crt"), &pem).unwrap();
    Certificate::from_pem(pem.as_bytes()).unwrap()
}

fn with(path: &Path, extension: &str) -> PathBuf {
    PathBuf::from(format!("{}.{extension}", path.display()))
}

fn pair(folder: &Path) -> (PathBuf, PathBuf) {
    (folder.join("edge.crt"), folder.join("edge.key"))
}

/// A router with one wildcard certificate.
async fn place(change: impl FnOnce(&mut Settings)) -> (TempDir, Certificate, Encrypted) {
    let folder = tempfile::tempdir().unwrap();
    let root = put(&folder.path().join("edge"), &["*.cloud.test"]);
    let mut settings = settings();
    settings.files.pair = Some(pair(folder.path()));
    change(&mut settings);
    let router = Encrypted::start(Sockets::open().await, settings, Allowed::none()).await;
    (folder, root, router)
}

/// A client's configuration of its own, that believes the certificate in the folder.
fn client(folder: &TempDir, versions: &[&'static rustls::SupportedProtocolVersion]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.path().join("edge.crt")).unwrap()).unwrap();
    ClientConfig::builder_with_protocol_versions(versions).with_root_certificates(roots).with_no_client_auth()
}

#[tokio::test]
async fn certificates_are_swapped_under_load_without_a_lost_request() {
    let (folder, old, router) = place(|settings| settings.reload_interval = Duration::from_millis(20)).await;
    let kept = router.client(&old);
    assert_eq!(kept.get(router.url(ALICE)).send().await.unwrap().status(), 200);
    // A client that believes both takes either.
    let new = put(&folder.path().join("next"), &["*.cloud.test"]);
    let both = {
        let builder = sdk::http::builder().timeout(DEADLINE).tls_certs_only([old.clone(), new.clone()]);
        builder.pool_max_idle_per_host(0).resolve(ALICE, router.address).build().unwrap()
    };
    let (stop, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let load = (0..4).map(|_| {
        let (both, stop, served, url) = (both.clone(), stop.clone(), served.clone(), router.url(ALICE));
        tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                assert_eq!(both.get(&url).send().await.unwrap().status(), 200);
                served.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    let load: Vec<_> = load.collect();
    let more = async |count| {
        let goal = served.load(Ordering::Relaxed) + count;
        until("requests are served", async || served.load(Ordering::Relaxed) >= goal).await;
    };
    more(20).await;
    for extension in ["key", "crt"] {
        // One after the other, as most programs do: in between they do not belong together.
        let (from, to) = (folder.path().join("next"), folder.path().join("edge"));
        std::fs::rename(with(&from, extension), with(&to, extension)).unwrap();
        more(20).await;
    }
    until("the new one is shown", async || router.status(ALICE, &new).await == Some(200)).await;
    more(20).await;
    stop.store(true, Ordering::Relaxed);
    for task in load {
        task.await.unwrap();
    }
    assert_eq!(router.status(ALICE, &old).await, None, "fresh connections get the new one");
    assert_eq!(kept.get(router.url(ALICE)).send().await.unwrap().status(), 200, "an old connection goes on");
}

#[tokio::test]
async fn a_bad_file_keeps_the_last_good_certificate_and_a_reload_is_at_once() {
    let (folder, old, router) = place(|settings| settings.reload_interval = Duration::from_secs(3600)).await;
    for garbage in ["garbage", ""] {
        std::fs::write(folder.path().join("edge.crt"), garbage).unwrap();
        router.edge.reload();
        assert_eq!(router.status(ALICE, &old).await, Some(200));
    }
    let new = put(&folder.path().join("edge"), &["*.cloud.test"]);
    router.edge.reload();
    until("the new one is shown", async || router.status(ALICE, &new).await == Some(200)).await;
}

#[tokio::test]
async fn a_connection_for_one_owner_carries_no_requests_to_another() {
    let folder = tempfile::tempdir().unwrap();
    let root = put(&folder.path().join("all"), &["*.cloud.test", "cloud.test", "www.alice.org"]);
    let mut settings = settings();
    settings.files.pair = Some((folder.path().join("all.crt"), folder.path().join("all.key")));
    let sockets = Sockets::open().await;
    let router = Encrypted::start_with(sockets, settings, Allowed::none(), |gateway, config| {
        gateway.deploy("alice-shop", "alice");
        gateway.deploy("bob-greet", "bob");
        config.custom_domains = "www.alice.org=alice/shop".parse().unwrap();
    })
    .await;
    let client = router.client_with(&root, |builder| builder.http1_only());
    let status = async |named: &str, host: &str| {
        let url = format!("https://{named}:{}/greet", router.address.port());
        client.get(url).header("host", host).send().await.unwrap().status().as_u16()
    };
    for (named, host) in [("alice.cloud.test", "BOB.cloud.test"), ("bob.cloud.test", "www.alice.org")] {
        assert_eq!(status(named, host).await, 421, "{named} {host}");
    }
    for (named, host) in [("alice.cloud.test", "system.cloud.test"), ("system.cloud.test", "alice.cloud.test")] {
        assert_eq!(status(named, host).await, 421, "{named} {host}");
    }
    assert_eq!(router.gateway.reached().len(), 0);
    for (named, host) in [("alice.cloud.test", "Alice.cloud.test."), ("alice.cloud.test", "www.alice.org")] {
        assert_eq!(status(named, host).await, 200, "{named} {host}");
    }
    assert_eq!(status("system.cloud.test", "cloud.test").await, 404, "the platform's hosts are one");
    assert_eq!(status("alice.cloud.test", "unknown.org").await, 404);
}

#[tokio::test]
async fn a_folder_serves_each_host_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let wild = put(&folder.path().join("*.cloud.test"), &["*.cloud.test"]);
    let bob = put(&folder.path().join("bob.cloud.test"), &["bob.cloud.test"]);
    let mut settings = settings();
    settings.files.folder = Some(folder.path().to_owned());
    let router = Encrypted::start(Sockets::open().await, settings, Allowed::none()).await;
    assert_eq!(router.status(ALICE, &wild).await, Some(200));
    assert_eq!(router.status("bob.cloud.test", &wild).await, None);
    assert_eq!(router.status("bob.cloud.test", &bob).await, Some(404));
}

#[tokio::test]
async fn what_is_wrong_at_the_start_stops_it() {
    let folder = tempfile::tempdir().unwrap();
    let start = |folder: &Path| {
        let mut settings = settings();
        settings.files.pair = Some(pair(folder));
        sdk::failure::chain(&Edge::new(settings, Allowed::none()).unwrap_err()).to_string()
    };
    assert!(start(folder.path()).contains("edge.crt cannot be read"));
    put(&folder.path().join("edge"), &["*.cloud.test"]);
    let key = std::fs::read(folder.path().join("edge.key")).unwrap();
    put(&folder.path().join("edge"), &["*.cloud.test"]);
    std::fs::write(folder.path().join("edge.key"), key).unwrap();
    assert!(start(folder.path()).contains("does not belong"));
    std::fs::write(folder.path().join("edge.key"), vec![b'x'; 2 << 20]).unwrap();
    assert!(start(folder.path()).contains("larger than 1 MiB"));
    let mut empty = settings();
    empty.files.folder = Some(tempfile::tempdir().unwrap().path().to_owned());
    assert!(Edge::new(empty.clone(), Allowed::none()).is_err(), "the folder is gone");
    let nothing = tempfile::tempdir().unwrap();
    empty.files.folder = Some(nothing.path().to_owned());
    let text = Edge::new(empty, Allowed::none()).unwrap_err().to_string();
    assert!(text.contains("holds no certificate"), "{text}");
}

#[tokio::test]
async fn http2_is_agreed_on_and_http1_still_spoken() {
    let (_folder, root, router) = place(|_| ()).await;
    let answer = router.client(&root).get(router.url(ALICE)).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (200, http::Version::HTTP_2));
    let old = router.client_with(&root, |builder| builder.http1_only());
    let answer = old.post(router.url(ALICE)).body("hello").send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (200, http::Version::HTTP_11));
    assert_eq!(answer.text().await.unwrap(), "hello");
    let hosts: Vec<_> = router.gateway.reached().iter().map(|r| r.headers["x-forwarded-host"].clone()).collect();
    let expected = format!("{ALICE}:{}", router.address.port());
    assert!(hosts.len() == 2 && hosts.iter().all(|host| host == expected.as_str()), "{hosts:?}");
}

#[tokio::test]
async fn the_plain_port_sends_everybody_to_the_encrypted_one() {
    let (_folder, _root, router) = place(|settings| settings.public_port = 8443).await;
    let ask = async |host: &str, path: &str| {
        let url = format!("http://{}{path}", router.plain);
        sdk::http::client().post(url).header("host", host).send().await.unwrap()
    };
    let answer = ask("alice.cloud.test:80", "/greet/a?b=c").await;
    assert_eq!(answer.status(), 308);
    assert_eq!(answer.headers()["location"], "https://alice.cloud.test:8443/greet/a?b=c");
    assert!(!answer.headers().contains_key("strict-transport-security"), "never without encryption");
    assert_eq!(ask("evil.org", "/greet").await.status(), 404);
    assert!(!ask("evil.org", "/greet").await.headers().contains_key("location"));
    assert_eq!(ask("evil.org", "/healthz").await.status(), 200);
    assert!(router.gateway.reached().is_empty());
}

#[tokio::test]
async fn browsers_are_told_to_come_back_with_encryption() {
    let (_folder, root, router) = place(|settings| {
        settings.hsts = Duration::from_secs(77);
        settings.hsts_include_subdomains = true;
    })
    .await;
    for path in ["/greet", "/nothing"] {
        let url = router.url(ALICE).replace("/greet", path);
        let answer = router.client(&root).get(url).send().await.unwrap();
        assert_eq!(answer.headers()["strict-transport-security"], "max-age=77; includeSubDomains", "{path}");
    }
}

#[tokio::test]
async fn a_foreign_or_missing_name_is_refused_by_an_alert() {
    let (folder, _root, router) = place(|_| ()).await;
    let mut nameless = client(&folder, rustls::ALL_VERSIONS);
    nameless.enable_sni = false;
    let refused = [
        router.handshake("evil.org", client(&folder, rustls::ALL_VERSIONS)).await,
        router.handshake("a.b.cloud.test", client(&folder, rustls::ALL_VERSIONS)).await,
        router.handshake(ALICE, nameless).await,
    ];
    for result in refused {
        let text = result.unwrap_err().to_string();
        assert!(text.contains("UnrecognisedName"), "{text}");
    }
    until("it is counted", async || Counters::get(&router.edge.counters().unknown_hosts) == 3).await;
}

#[tokio::test]
async fn both_versions_are_spoken_and_sessions_resumed() {
    let (folder, _root, router) = place(|_| ()).await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = client(&folder, &[version]);
        for expected in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let mut stream = router.handshake(ALICE, config.clone()).await.unwrap();
            let request = format!("GET /healthz HTTP/1.1\r\nhost: {ALICE}\r\nconnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            // Tickets come with the answer.
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            assert_eq!(stream.get_ref().1.handshake_kind(), Some(expected), "{version:?}");
        }
    }
}

#[tokio::test]
async fn a_check_for_which_there_is_no_order_gets_no_certificate() {
    let (folder, _root, router) = place(|_| ()).await;
    let mut config = client(&folder, rustls::ALL_VERSIONS);
    config.alpn_protocols = vec![b"acme-tls/1".to_vec()];
    assert!(router.handshake(ALICE, config).await.is_err());
    let mut strange = client(&folder, rustls::ALL_VERSIONS);
    strange.alpn_protocols = vec![b"spdy/3".to_vec()];
    assert!(router.handshake(ALICE, strange).await.is_err(), "no protocol in common");
}

/// The first message of a client that speaks nothing newer than TLS 1.`minor`.
fn hello(host: &str, minor: u8) -> Vec<u8> {
    let sized = |content: &[u8]| [&(content.len() as u16).to_be_bytes()[..], content].concat();
    let name = [&[0][..], &sized(host.as_bytes())].concat();
    let extension = |kind: u8, content: &[u8]| [&[0, kind][..], &sized(content)].concat();
    let extensions = [
        extension(0, &sized(&name)),
        extension(10, &sized(&[0, 23])),
        extension(11, &[1, 0]),
        extension(13, &sized(&[4, 3])),
        extension(23, &[]),
    ];
    // ECDHE with AES-GCM, which is good for TLS 1.2, and with AES-CBC, which is older.
    let suites = sized(&[0xc0, 0x2b, 0xc0, 0x09]);
    let body = [&[3, minor + 1][..], &[7; 32], &[0], &suites, &[1, 0], &sized(&extensions.concat())].concat();
    let message = [&[1, 0][..], &sized(&body)].concat();
    [&[22, 3, 1][..], &sized(&message)].concat()
}

#[tokio::test]
async fn tls_1_1_and_what_is_no_tls_are_refused() {
    let (_folder, _root, router) = place(|_| ()).await;
    for (minor, expected) in [(2, &[22, 3, 3][..]), (1, &[21, 3, 3, 0, 2, 2, 70])] {
        let mut stream = TcpStream::connect(router.address).await.unwrap();
        stream.write_all(&hello(ALICE, minor)).await.unwrap();
        let mut answer = vec![0; expected.len()];
        tokio::time::timeout(DEADLINE, stream.read_exact(&mut answer)).await.unwrap().unwrap();
        assert_eq!(answer, expected, "1.2 goes on, 1.1 gets a fatal alert about its version");
    }
    let mut stream = TcpStream::connect(router.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: alice.cloud.test\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut answer)).await.unwrap();
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    until("they are counted", async || Counters::get(&router.edge.counters().failures) == 3).await;
    assert!(router.gateway.reached().is_empty());
}

#[tokio::test]
async fn a_slow_handshake_is_cut_off() {
    let (folder, _root, router) = place(|settings| settings.handshake_timeout = Duration::from_millis(200)).await;
    // Nothing at all, the beginning of a message, and a whole first message without what has to follow.
    let name = ServerName::try_from(ALICE).unwrap();
    let config = Arc::new(client(&folder, rustls::ALL_VERSIONS));
    let mut whole = Vec::new();
    rustls::ClientConnection::new(config, name).unwrap().write_tls(&mut whole).unwrap();
    for sent in [&[][..], &whole[..7], &whole[..]] {
        let mut stream = TcpStream::connect(router.address).await.unwrap();
        stream.write_all(sent).await.unwrap();
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut answer)).await.expect("it is cut off");
    }
    until("they are counted", async || Counters::get(&router.edge.counters().timeouts) == 3).await;
    router.stop().await;
}
