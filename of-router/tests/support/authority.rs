//! A certificate authority (pebble) and the DNS that it asks (pebble-challtestsrv), as processes of their own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use of_router::tls::Acme;
use serde_json::json;
use tempfile::TempDir;

use super::{DEADLINE, until};

/// A running authority. It ends when this is dropped.
pub(crate) struct Authority {
    pub(crate) folder: TempDir,
    pub(crate) options: Options,
    pub(crate) dns: SocketAddr,
    address: SocketAddr,
    management: SocketAddr,
    resolver: Process,
    server: Option<Process>,
    log: Arc<Mutex<Vec<String>>>,
}

/// What an authority is like.
#[derive(Clone, Default)]
pub(crate) struct Options {
    pub(crate) http_port: u16,
    pub(crate) tls_port: u16,
    /// Names that it gives nothing for.
    pub(crate) refused: Vec<&'static str>,
    /// The lifetime of its certificates in seconds.
    pub(crate) lifetime: Option<u64>,
    /// The key for `kid-1`, without which there is no account.
    pub(crate) external_key: Option<&'static str>,
}

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An address that is free. Not of the range that the system takes from for connections: a process listens there only
/// in a moment, and those of other tests come and go.
fn free() -> SocketAddr {
    loop {
        let mut random = [0; 2];
        getrandom::fill(&mut random).unwrap();
        let port = 10_000 + u16::from_le_bytes(random) % 20_000;
        if let Ok(listener) = std::net::TcpListener::bind(("127.0.0.1", port)) {
            return listener.local_addr().unwrap();
        }
    }
}

impl Authority {
    pub(crate) async fn start(options: Options) -> Self {
        let mut this = Self::prepare(options);
        this.up().await;
        this
    }

    /// An authority that does not run yet.
    pub(crate) fn prepare(options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        std::fs::write(folder.path().join("cert.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        std::fs::write(folder.path().join("key.pem"), key.serialize_pem()).unwrap();
        let (dns, questions) = (free(), free());
        let mut command = Command::new("pebble-challtestsrv");
        command.args(["-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", ""]);
        command.args(["-dns01", &questions.to_string(), "-management", &dns.to_string()]);
        let resolver = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let missing = |error| panic!("the Debian package pebble is needed ({error}): scripts/setup test");
        let resolver = Process(resolver.unwrap_or_else(missing));
        std::fs::write(folder.path().join("dns"), questions.to_string()).unwrap();
        let (address, management) = (free(), free());
        Self { folder, options, dns, address, management, resolver, server: None, log: Arc::default() }
    }

    /// Starts it, with nothing in its memory.
    pub(crate) async fn up(&mut self) {
        let config = self.folder.path().join("config.json");
        std::fs::write(&config, self.config().to_string()).unwrap();
        let questions = std::fs::read_to_string(self.folder.path().join("dns")).unwrap();
        let mut command = Command::new("pebble");
        command.arg("-config").arg(&config).args(["-dnsserver", &questions]);
        command.env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_AUTHZREUSE", "0");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (lines, log) = (BufReader::new(child.stdout.take().unwrap()), self.log.clone());
        std::thread::spawn(move || lines.lines().map_while(Result::ok).for_each(|line| log.lock().unwrap().push(line)));
        self.server = Some(Process(child));
        until("the authority answers", async || self.root().await.is_some()).await;
    }

    /// The name server that it asks.
    pub(crate) fn name_server(&self) -> SocketAddr {
        std::fs::read_to_string(self.folder.path().join("dns")).unwrap().parse().unwrap()
    }

    /// Puts a TXT record there.
    pub(crate) async fn put_record(&self, host: &str, value: &str) {
        let record = json!({"host": format!("{host}."), "value": value});
        let put = sdk::http::client().post(format!("http://{}/set-txt", self.dns)).json(&record).send();
        assert_eq!(put.await.unwrap().status(), 200);
    }

    /// Lets a host be at an address where nobody listens.
    pub(crate) async fn points_elsewhere(&self, host: &str) {
        let record = json!({"host": format!("{host}."), "addresses": ["127.9.9.9"]});
        let put = sdk::http::client().post(format!("http://{}/add-a", self.dns)).json(&record).send();
        assert_eq!(put.await.unwrap().status(), 200);
    }

    pub(crate) fn down(&mut self) {
        self.server = None;
    }

    fn config(&self) -> serde_json::Value {
        let folder = self.folder.path();
        let mut config = json!({
            "listenAddress": self.address.to_string(),
            "managementListenAddress": self.management.to_string(),
            "certificate": folder.join("cert.pem"),
            "privateKey": folder.join("key.pem"),
            "httpPort": self.options.http_port,
            "tlsPort": self.options.tls_port,
            "domainBlocklist": self.options.refused,
        });
        if let Some(seconds) = self.options.lifetime {
            config["certificateValidityPeriod"] = json!(seconds);
        }
        if let Some(key) = self.options.external_key {
            config["externalAccountBindingRequired"] = json!(true);
            config["externalAccountMACKeys"] = json!({ "kid-1": key });
        }
        json!({ "pebble": config })
    }

    /// How the router is told about it. A failure is soon tried again.
    pub(crate) fn settings(&self, storage: &Path) -> Acme {
        let mut acme = Acme::new(format!("https://{}/dir", self.address).parse().unwrap(), storage);
        acme.ca_file = Some(self.ca_file());
        acme.retry = Duration::from_millis(100);
        acme.wait = DEADLINE;
        acme
    }

    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    /// The certificate that all it gives can be verified with.
    pub(crate) async fn root(&self) -> Option<reqwest::Certificate> {
        let own = reqwest::Certificate::from_pem(&std::fs::read(self.ca_file()).unwrap()).unwrap();
        let client = sdk::http::builder().tls_certs_only([own]).build().unwrap();
        let directory = client.get(format!("https://{}/dir", self.address)).send().await.ok()?;
        directory.error_for_status().ok()?;
        let root = client.get(format!("https://{}/roots/0", self.management)).send().await.ok()?;
        reqwest::Certificate::from_pem(&root.bytes().await.ok()?).ok()
    }

    /// The orders that it has taken.
    pub(crate) fn orders(&self) -> usize {
        self.log.lock().unwrap().iter().filter(|line| line.contains("Added order")).count()
    }

    /// What it has done, as it says itself.
    pub(crate) fn said(&self, what: &str) -> bool {
        self.log.lock().unwrap().iter().any(|line| line.contains(what))
    }
}
