//! Certificates from a real authority (pebble): ordered on demand, proven, kept, renewed.

#![expect(clippy::unwrap_used, reason = "test helpers")]

mod support;

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use of_router::DnsServer;
use of_router::tls::{Acme, Allowed, ChallengeKind, Counters, Source};
use support::authority::{Authority, Options};
use support::encrypted::{Encrypted, Sockets, known, settings};
use support::until;

const ALICE: &str = "alice.cloud.test";
const BOB: &str = "bob.cloud.test";

/// A router that orders from a running authority, for alice and bob.
async fn place(change: impl FnOnce(&mut Options, &mut Acme)) -> (Authority, tempfile::TempDir, Encrypted) {
    let sockets = Sockets::open().await;
    let storage = tempfile::tempdir().unwrap();
    let mut authority = Authority::prepare(options(&sockets));
    let mut acme = authority.settings(storage.path());
    change(&mut authority.options, &mut acme);
    authority.up().await;
    let router = start(sockets, acme, known(&[ALICE, BOB])).await;
    (authority, storage, router)
}

fn options(sockets: &Sockets) -> Options {
    Options { http_port: sockets.plain().port(), tls_port: sockets.encrypted().port(), ..Options::default() }
}

async fn start(sockets: Sockets, acme: Acme, allowed: Allowed) -> Encrypted {
    let mut settings = settings();
    settings.acme = Some(acme);
    Encrypted::start(sockets, settings, allowed).await
}

async fn serves_after(kind: ChallengeKind) -> (Authority, u64) {
    let (authority, _storage, router) = place(|_, acme| acme.challenges = vec![kind]).await;
    let root = authority.root().await.unwrap();
    let answer = router.client(&root).get(router.url(ALICE)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["strict-transport-security"], "max-age=15552000");
    assert_eq!(router.gateway.reached()[0].headers["x-forwarded-proto"], "https");
    assert_eq!(authority.orders(), 1);
    let expiries = router.edge.expiries();
    assert_eq!((expiries[0].name.as_str(), expiries[0].source, expiries.len()), (ALICE, Source::Acme, 1));
    assert!(expiries[0].days_left(SystemTime::now()) > 30.0);
    let checks = Counters::get(&router.edge.counters().challenges);
    router.stop().await;
    (authority, checks)
}

#[tokio::test]
async fn a_known_host_is_proven_by_a_text() {
    let (authority, checks) = serves_after(ChallengeKind::Http01).await;
    assert!(authority.said("/.well-known/acme-challenge/"), "the authority has not looked");
    assert_eq!(checks, 0);
}

#[tokio::test]
async fn a_known_host_is_proven_by_a_handshake() {
    let (authority, checks) = serves_after(ChallengeKind::TlsAlpn01).await;
    assert!(!authority.said("/.well-known/acme-challenge/"));
    assert!(checks > 0, "the authority has not looked");
}

#[tokio::test]
async fn a_stranger_s_host_is_refused_and_the_authority_not_asked() {
    let (authority, _storage, router) = place(|_, _| ()).await;
    let root = authority.root().await.unwrap();
    for host in ["carol.cloud.test", "cloud.test", "deep.system.cloud.test"] {
        assert_eq!(router.status(host, &root).await, None, "{host}");
    }
    assert_eq!(router.status(BOB, &root).await, Some(404), "bob has no such function, but he is known");
    assert_eq!(authority.orders(), 1, "only bob's");
    until("it is counted", async || Counters::get(&router.edge.counters().unknown_hosts) == 3).await;
    assert_eq!(router.edge.expiries().len(), 1);
}

#[tokio::test]
async fn a_storm_of_handshakes_is_one_order() {
    let (authority, _storage, router) = place(|_, _| ()).await;
    let root = authority.root().await.unwrap();
    let all = join_all((0..40).map(|_| router.status(ALICE, &root))).await;
    assert!(all.iter().all(|status| *status == Some(200)), "{all:?}");
    assert_eq!(authority.orders(), 1);
}

#[tokio::test]
async fn a_restart_keeps_the_certificates_and_the_account() {
    let sockets = Sockets::open().await;
    let storage = tempfile::tempdir().unwrap();
    let mut options = options(&sockets);
    let authority = Authority::start(options.clone()).await;
    let root = authority.root().await.unwrap();
    let router = start(sockets, authority.settings(storage.path()), known(&[ALICE])).await;
    assert_eq!(router.status(ALICE, &root).await, Some(200));
    router.stop().await;
    assert_private(storage.path());

    let sockets = Sockets::open().await;
    options.tls_port = sockets.encrypted().port();
    let router = start(sockets, authority.settings(storage.path()), Allowed::none()).await;
    assert_eq!(router.status(ALICE, &root).await, Some(200));
    assert_eq!(authority.orders(), 1, "no new order");
}

/// Everything that was kept is its owner's alone, and there is an account and a certificate.
fn assert_private(storage: &Path) {
    let folder = std::fs::read_dir(storage).unwrap().next().unwrap().unwrap().path();
    let mut files = vec![];
    for entry in std::fs::read_dir(&folder).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
        files.push(entry.file_name().into_string().unwrap());
    }
    files.sort();
    assert_eq!(files, ["account.json", "alice.cloud.test.pem"]);
    assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn certificates_are_renewed_before_they_end() {
    let (authority, _storage, router) = place(|options, _| options.lifetime = Some(6)).await;
    let root = authority.root().await.unwrap();
    assert_eq!(router.status(ALICE, &root).await, Some(200));
    let first = router.edge.expiries()[0].not_after;
    until("the certificate is replaced", async || router.edge.expiries()[0].not_after > first).await;
    assert!(SystemTime::now() < first, "the old one was good until the new one was there");
    assert_eq!(router.status(ALICE, &root).await, Some(200));
    assert!(authority.orders() >= 2);
}

#[tokio::test]
async fn a_renewal_that_fails_leaves_the_old_certificate_in_use() {
    let (mut authority, _storage, router) = place(|options, _| options.lifetime = Some(8)).await;
    let root = authority.root().await.unwrap();
    assert_eq!(router.status(ALICE, &root).await, Some(200));
    authority.down();
    until("a renewal fails", async || Counters::get(&router.edge.counters().failed_orders) > 0).await;
    assert_eq!(router.status(ALICE, &root).await, Some(200));
    router.stop().await;
}

#[tokio::test]
async fn an_authority_that_is_down_at_the_start_is_asked_again() {
    let sockets = Sockets::open().await;
    let storage = tempfile::tempdir().unwrap();
    let mut authority = Authority::prepare(options(&sockets));
    let router = start(sockets, authority.settings(storage.path()), known(&[ALICE])).await;
    let nobody = reqwest::Certificate::from_pem(&std::fs::read(authority.ca_file()).unwrap()).unwrap();
    assert_eq!(router.status(ALICE, &nobody).await, None);
    assert!(Counters::get(&router.edge.counters().failed_orders) > 0);
    authority.up().await;
    let root = authority.root().await.unwrap();
    until("the host is served", async || router.status(ALICE, &root).await == Some(200)).await;
}

#[tokio::test]
async fn an_account_that_the_authority_has_forgotten_is_made_anew() {
    let (mut authority, storage, router) = place(|_, _| ()).await;
    let root = authority.root().await.unwrap();
    assert_eq!(router.status(ALICE, &root).await, Some(200));
    authority.down();
    authority.up().await;
    let root = authority.root().await.unwrap();
    until("bob is served by a new account", async || router.status(BOB, &root).await == Some(404)).await;
    let folder = std::fs::read_dir(storage.path()).unwrap().next().unwrap().unwrap().path();
    assert!(folder.join("account.old.json").exists(), "the old account was put aside");
}

#[tokio::test]
async fn a_refusal_of_the_authority_s_is_not_repeated_at_once() {
    let (authority, _storage, router) = place(|options, acme| {
        options.refused = vec![ALICE];
        acme.retry = Duration::from_secs(3600);
    })
    .await;
    let root = authority.root().await.unwrap();
    let all = join_all((0..10).map(|_| router.status(ALICE, &root))).await;
    assert!(all.iter().all(Option::is_none));
    assert_eq!(router.status(ALICE, &root).await, None);
    assert_eq!(Counters::get(&router.edge.counters().orders), 1);
    until("it is counted", async || Counters::get(&router.edge.counters().no_certificate) == 11).await;
    assert_eq!(router.status(BOB, &root).await, Some(404), "others are not touched by it");
}

#[tokio::test]
async fn a_way_that_is_blocked_is_left_for_the_next() {
    let (authority, _storage, router) = place(|options, acme| {
        options.http_port = 1;
        acme.challenges = vec![ChallengeKind::Http01, ChallengeKind::TlsAlpn01];
    })
    .await;
    let root = authority.root().await.unwrap();
    assert_eq!(router.status(ALICE, &root).await, None);
    until("the other way is tried", async || router.status(ALICE, &root).await == Some(200)).await;
    assert_eq!(authority.orders(), 2);
}

#[tokio::test]
async fn there_is_a_limit_for_all_orders_together() {
    let (authority, _storage, router) = place(|_, acme| acme.orders_per_hour = 1).await;
    let root = authority.root().await.unwrap();
    assert_eq!(router.status(ALICE, &root).await, Some(200));
    assert_eq!(router.status(BOB, &root).await, None);
    assert_eq!(authority.orders(), 1);
    assert_eq!(router.status(ALICE, &root).await, Some(200));
}

/// A router at which functions of alice (42) and bob (43) ask for hosts of their own, which DNS proves but for one.
async fn custom_place(change: impl FnOnce(&mut Acme)) -> (Authority, tempfile::TempDir, Encrypted) {
    let (sockets, storage) = (Sockets::open().await, tempfile::tempdir().unwrap());
    let authority = Authority::start(options(&sockets)).await;
    for (host, owner) in [("www.alice.org", 42), ("shop.alice.org", 42), ("www.bob.org", 43)] {
        authority.put_record(&format!("_ofc.{host}"), &format!("ofc-owner=github.com/{owner}")).await;
    }
    // Somebody else's word about it.
    authority.put_record("_ofc.unproven.org", "ofc-owner=github.com/6").await;
    let (mut settings, mut acme) = (settings(), authority.settings(storage.path()));
    change(&mut acme);
    settings.acme = Some(acme);
    // So that it can be seen which hosts are known, without the encrypted door.
    settings.redirect = false;
    let server = authority.name_server();
    let router = Encrypted::start_with(sockets, settings, known(&[ALICE]), |gateway, config| {
        let hosts = "www.alice.org, shop.alice.org, unproven.org";
        gateway.deploy_with("alice-shop", "alice", 42, &[("com.openfaas.cloud.domains", hosts)]);
        gateway.deploy_with("bob-shop", "bob", 43, &[("com.openfaas.cloud.domains", "www.bob.org")]);
        config.dns_server = Some(DnsServer::At(server));
        config.domains_every = Duration::from_millis(20);
    })
    .await;
    for host in ["www.alice.org", "shop.alice.org", "www.bob.org"] {
        let known = async || {
            let asked = sdk::http::client().get(format!("http://{}/", router.plain)).header("host", host).send();
            asked.await.unwrap().status() == 200
        };
        until("the host is known", known).await;
    }
    (authority, storage, router)
}

#[tokio::test]
async fn a_custom_domain_that_dns_proves_gets_a_certificate_on_demand() {
    let (authority, _storage, router) = custom_place(|_| ()).await;
    let root = authority.root().await.unwrap();
    assert_eq!(router.status("unproven.org", &root).await, None);
    assert_eq!(authority.orders(), 0, "nothing is ordered for what is not proven");
    assert_eq!(router.status("www.alice.org", &root).await, Some(200));
    assert_eq!(router.gateway.reached().pop().unwrap().target, "/function/alice-shop/greet");
    assert_eq!(router.status(ALICE, &root).await, Some(200), "other hosts are as before");
    assert_eq!(authority.orders(), 2);
}

#[tokio::test]
async fn an_owner_who_has_many_domains_gets_certificates_for_so_many_in_an_hour() {
    let (authority, _storage, router) = custom_place(|acme| acme.owner_orders_per_hour = 1).await;
    let root = authority.root().await.unwrap();
    assert_eq!(router.status("www.alice.org", &root).await, Some(200));
    assert_eq!(router.status("shop.alice.org", &root).await, None);
    assert_eq!(router.status(ALICE, &root).await, None, "the owner's host counts too");
    assert_eq!(router.status("www.bob.org", &root).await, Some(200), "others are not touched by it");
    assert_eq!(authority.orders(), 2);
}

#[tokio::test]
async fn a_custom_domain_that_the_authority_refuses_has_to_wait() {
    let (authority, _storage, router) = custom_place(|acme| {
        acme.challenges = vec![ChallengeKind::Http01];
        acme.retry = Duration::from_secs(3600);
    })
    .await;
    let root = authority.root().await.unwrap();
    authority.points_elsewhere("www.alice.org").await;
    let all = join_all((0..5).map(|_| router.status("www.alice.org", &root))).await;
    assert!(all.iter().all(Option::is_none), "{all:?}");
    assert_eq!(router.status("www.alice.org", &root).await, None);
    assert_eq!(authority.orders(), 1, "the failure is not repeated");
    assert_eq!(router.status("shop.alice.org", &root).await, Some(200));
}

#[tokio::test]
async fn an_account_is_bound_to_an_external_one() {
    const KEY: &str = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";
    let bound = |acme: &mut Acme, id: &str, key: &str| {
        use base64::Engine;
        let hmac_key = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(key).unwrap().into();
        acme.external_account = Some(of_router::tls::ExternalAccount { key_id: id.to_owned(), hmac_key });
    };
    let (authority, _storage, router) = place(|options, acme| {
        options.external_key = Some(KEY);
        bound(acme, "kid-1", KEY);
    })
    .await;
    assert_eq!(router.status(ALICE, &authority.root().await.unwrap()).await, Some(200));
    let (authority, _storage, router) = place(|options, _| options.external_key = Some(KEY)).await;
    assert_eq!(router.status(ALICE, &authority.root().await.unwrap()).await, None);
    assert_eq!(authority.orders(), 0);
}

/// A hook that keeps its records in the authority's DNS.
fn hook(folder: &Path, dns: SocketAddr) -> std::path::PathBuf {
    let path = folder.join("dns-hook");
    let script = format!(
        r#"#!/bin/sh
set -eu
echo "$1 $2" >> {log}
case $1 in
  present) curl -fsS -d "{{\"host\":\"$2.\",\"value\":\"$3\"}}" http://{dns}/set-txt ;;
  cleanup) curl -fsS -d "{{\"host\":\"$2.\"}}" http://{dns}/clear-txt ;;
esac
"#,
        log = folder.join("hook.log").display()
    );
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[tokio::test]
async fn a_wildcard_is_proven_by_a_dns_record() {
    let sockets = Sockets::open().await;
    let authority = Authority::start(options(&sockets)).await;
    let storage = tempfile::tempdir().unwrap();
    let mut acme = authority.settings(&storage.path().join("certificates"));
    acme.dns_hook = Some(hook(storage.path(), authority.dns));
    acme.dns_names = ["*.cloud.test", "*.system.cloud.test"].map(|name| name.parse().unwrap()).to_vec();
    let router = start(sockets, acme, Allowed::none()).await;
    let root = authority.root().await.unwrap();
    assert_eq!(router.status(ALICE, &root).await, Some(200), "the handshake waits for the wildcard");
    assert_eq!(router.status(BOB, &root).await, Some(404));
    assert_eq!(router.status("deep.system.cloud.test", &root).await, Some(404));
    assert_eq!(router.status("cloud.test", &root).await, None, "a wildcard is not for the domain itself");
    assert_eq!(authority.orders(), 2);
    let log = std::fs::read_to_string(storage.path().join("hook.log")).unwrap();
    for line in ["present _acme-challenge.cloud.test", "cleanup _acme-challenge.cloud.test"] {
        assert_eq!(log.lines().filter(|seen| *seen == line).count(), 1, "{log}");
    }
}

#[tokio::test]
async fn a_hook_that_fails_gives_no_certificate_and_cleans_up() {
    let sockets = Sockets::open().await;
    let authority = Authority::start(options(&sockets)).await;
    let storage = tempfile::tempdir().unwrap();
    let mut acme = authority.settings(&storage.path().join("certificates"));
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    acme.dns_hook = Some(hook(storage.path(), free));
    acme.dns_names = vec!["*.cloud.test".parse().unwrap()];
    acme.retry = Duration::from_secs(3600);
    let router = start(sockets, acme, Allowed::none()).await;
    assert_eq!(router.status(ALICE, &authority.root().await.unwrap()).await, None);
    let log = std::fs::read_to_string(storage.path().join("hook.log")).unwrap();
    assert_eq!(log, "present _acme-challenge.cloud.test\ncleanup _acme-challenge.cloud.test\n");
}
