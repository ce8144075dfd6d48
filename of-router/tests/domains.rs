//! Functions at hosts of their owners, given by the operator or proven by a name server.

#![expect(clippy::unwrap_used, reason = "test helpers")]

mod support;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use of_router::{Change, DnsServer};
use session::protocol::Scope;
use support::auth::{Auth, person};
use support::{DEADLINE, Gateway, Router, config};
use tokio::net::UdpSocket;

const ACCESS: &str = "com.openfaas.cloud.access";
const DOMAINS: &str = "com.openfaas.cloud.domains";

/// A record that the name server fails at.
const FAILS: &str = "fails";

type Records = Arc<Mutex<HashMap<String, String>>>;

/// A name server that knows TXT records.
async fn name_server(known: &[(&str, &str)]) -> (SocketAddr, Records) {
    let records: HashMap<_, _> = known.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let records = Arc::new(Mutex::new(records));
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (address, kept) = (socket.local_addr().unwrap(), records.clone());
    tokio::spawn(async move {
        let mut packet = [0; 1500];
        loop {
            let (length, client) = socket.recv_from(&mut packet).await.unwrap();
            let answer = answer(&packet[..length], &kept.lock().unwrap());
            socket.send_to(&answer, client).await.unwrap();
        }
    });
    (address, records)
}

fn answer(question: &[u8], records: &HashMap<String, String>) -> Vec<u8> {
    let (mut at, mut name) = (12, Vec::new());
    while question[at] != 0 {
        let length = usize::from(question[at]);
        name.push(String::from_utf8_lossy(&question[at + 1..at + 1 + length]).to_ascii_lowercase());
        at += length + 1;
    }
    let asked = &question[12..at + 5];
    let text = records.get(&name.join("."));
    // A failure of the server's, or no such name.
    let code = if text.is_some() { 2 } else { 3 };
    let text = text.filter(|text| *text != FAILS);
    let (count, code) = if text.is_some() { (1, 0) } else { (0, code) };
    let mut out = [&question[..2], &[0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0], asked].concat();
    if let Some(text) = text {
        let length = u8::try_from(text.len()).unwrap();
        out.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, 0, length + 1, length]);
        out.extend(text.bytes());
    }
    out
}

async fn until(router: &Router, host: &str, path: &str, status: u16) {
    let turned = async { while router.status(host, path).await != status {} };
    tokio::time::timeout(DEADLINE, turned).await.unwrap_or_else(|_| panic!("{host}{path} never was {status}"));
}

#[tokio::test]
async fn a_host_that_the_operator_gives_is_one_function() {
    let gateway = Gateway::start().await;
    gateway.deploy_with("alice-shop", "alice", 42, &[]);
    let mut config = config(gateway.address);
    config.custom_domains = "www.alice.com=alice/shop".parse().unwrap();
    let router = Router::start(config).await;
    assert_eq!(router.status("WWW.alice.com.:443", "/a/b").await, 200);
    assert_eq!(router.status("www.alice.com", "/").await, 200);
    let reached: Vec<_> = gateway.reached().into_iter().map(|reached| reached.target).collect();
    assert_eq!(reached, ["/function/alice-shop/a/b", "/function/alice-shop/"]);
    assert_eq!(router.status("alice.com", "/").await, 404);
    assert_eq!(router.status("www.alice.com", "/.ofc/login").await, 404);
    gateway.deploy_with("alice-shop", "mallory", 6, &[]);
    until(&router, "www.alice.com", "/", 404).await;
}

#[tokio::test]
async fn people_cannot_sign_in_at_a_custom_domain_and_tokens_of_their_owner_s_host_count() {
    let (gateway, auth) = (Gateway::start().await, Auth::start().await);
    gateway.deploy_with("alice-shop", "alice", 42, &[(ACCESS, "members")]);
    let mut config = auth.behind(config(gateway.address));
    config.custom_domains = "www.alice.com=alice/shop".parse().unwrap();
    let router = Router::start(config).await;
    let token = auth.token(&person("alice", 42), "s", "www.alice.com", 600);
    let page =
        router.get("www.alice.com", "/").header("accept", "text/html").header("cookie", format!("ofc_session={token}"));
    let answer = page.send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers().get("location")), (401, None));
    assert!(answer.text().await.unwrap().contains("people cannot sign in at this host"));
    auth.api_token("ofct_a", &person("alice", 42), &[Scope::Invoke]);
    assert_eq!(router.get("www.alice.com", "/").bearer_auth("ofct_a").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn of_all_that_ask_for_a_host_the_function_of_the_owner_that_dns_names_has_it() {
    let gateway = Gateway::start().await;
    let claim = [(DOMAINS, "www.alice.com, unproven.org, bob.localhost")];
    gateway.deploy_with("alice-shop", "alice", 42, &claim);
    gateway.deploy_with("aaron-shop", "aaron", 6, &claim);
    let (dns, _records) = name_server(&[("_ofc.www.alice.com", "ofc-owner=github.com/42")]).await;
    let mut config = config(gateway.address);
    config.dns_server = Some(DnsServer::At(dns));
    config.domains_every = Duration::from_millis(20);
    let router = Router::start(config).await;
    until(&router, "www.alice.com", "/x", 200).await;
    assert_eq!(gateway.reached().pop().unwrap().target, "/function/alice-shop/x");
    assert_eq!(router.status("unproven.org", "/x").await, 404);
    assert_eq!(router.status("bob.localhost", "/x").await, 404);
    // The function is somebody else's now, who has the login and not the number.
    gateway.deploy_with("alice-shop", "alice", 43, &claim);
    until(&router, "www.alice.com", "/x", 404).await;
    gateway.deploy_with("alice-shop", "alice", 42, &[]);
    until(&router, "www.alice.com", "/x", 404).await;
    gateway.deploy_with("alice-shop", "alice", 42, &claim);
    until(&router, "www.alice.com", "/x", 200).await;
}

#[tokio::test]
async fn what_dns_has_proven_outlives_a_reload_and_a_name_server_that_fails() {
    let gateway = Gateway::start().await;
    gateway.deploy_with("alice-shop", "alice", 42, &[(DOMAINS, "www.alice.com")]);
    let (dns, records) = name_server(&[("_ofc.www.alice.com", "ofc-owner=github.com/42")]).await;
    let mut config = config(gateway.address);
    config.dns_server = Some(DnsServer::At(dns));
    config.domains_every = Duration::from_millis(20);
    let (router, tell) = Router::start_changing(config.clone()).await;
    until(&router, "www.alice.com", "/x", 200).await;
    records.lock().unwrap().insert("_ofc.www.alice.com".into(), FAILS.into());

    let (failing, _) = name_server(&[("_ofc.www.alice.com", FAILS)]).await;
    for server in [dns, failing] {
        config.dns_server = Some(DnsServer::At(server));
        tell.send(Change::Config(Box::new(config.clone()))).await.unwrap();
        let rounds = gateway.listed.load(Ordering::Relaxed) + 5;
        let served = async {
            while gateway.listed.load(Ordering::Relaxed) < rounds {
                assert_eq!(router.status("www.alice.com", "/x").await, 200, "there is no gap");
            }
        };
        tokio::time::timeout(DEADLINE, served).await.unwrap();
    }

    let (clear, _) = name_server(&[("_ofc.www.alice.com", "ofc-owner=github.com/6")]).await;
    config.dns_server = Some(DnsServer::At(clear));
    tell.send(Change::Config(Box::new(config))).await.unwrap();
    until(&router, "www.alice.com", "/x", 404).await;
}
