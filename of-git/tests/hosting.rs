//! Repositories over smart HTTP, by the real git program.
#![expect(clippy::unwrap_used, reason = "test helpers")]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use http::StatusCode;
use support::{Host, PLATFORM_TOKEN, Platform, Work, config, deploy_everything, remote_lines, stderr};

struct Place {
    data: tempfile::TempDir,
    platform: Platform,
    host: Host,
}

async fn place_with(change: impl FnOnce(&mut of_git::Config)) -> Place {
    let data = tempfile::tempdir().unwrap();
    let platform = Platform::start().await;
    let mut config = config(data.path(), platform.address);
    change(&mut config);
    let host = Host::start(config).await;
    deploy_everything(&platform, &host);
    Place { data, platform, host }
}

async fn place() -> Place {
    place_with(|_| ()).await
}

#[tokio::test]
async fn a_first_push_makes_the_repository_and_a_clone_brings_it_back() {
    let place = place().await;
    let work = Work::new().await;
    work.git(&["checkout", "-q", "-b", "trunk"]).await;
    let sha = work.commit("stack.yml", "version: 1.0\n").await;
    let url = place.host.url("alice", "alice/hello");
    let output = work.push(&url, &["trunk"]).await;
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(remote_lines(&output), ["Deployed"]);

    let copy = Work::new().await;
    copy.git(&["clone", "-q", &url, "copy"]).await;
    assert_eq!(copy.git(&["-C", "copy", "rev-parse", "HEAD"]).await, sha);
    assert_eq!(copy.git(&["-C", "copy", "branch", "--show-current"]).await, "trunk", "the first branch is the default");
    let platform_url = place.host.url_with("x-access-token", &PLATFORM_TOKEN.into(), "alice/hello");
    copy.git(&["init", "-q", "bare"]).await;
    copy.git(&["-C", "bare", "fetch", "-q", "--depth=1", &platform_url, &sha]).await;
    assert_eq!(std::fs::read_to_string(place.data.path().join("customers")).unwrap(), "alice\n");
    place.host.stop().await;
}

#[tokio::test]
async fn a_large_push_comes_in_pieces_and_arrives_whole() {
    let place = place().await;
    let work = Work::new().await;
    let mut noise = vec![0; 3 << 20];
    std::fs::File::open("/dev/urandom").unwrap().read_exact(&mut noise).unwrap();
    let sha = work.commit("noise", &noise).await;
    let url = place.host.url("alice", "alice/hello");
    let output = work.push(&url, &["main"]).await;
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(work.git(&["ls-remote", &url]).await.contains(&sha));
}

#[tokio::test]
async fn wrong_credentials_and_foreign_repositories_are_refused() {
    let place = place().await;
    let work = Work::new().await;
    work.commit("stack.yml", "").await;
    let host = &place.host;
    assert!(work.push(&host.url("bob", "bob/private"), &["main"]).await.status.success());

    let wrong = work.push(&host.url_with("alice", &"ofg_wrong".into(), "alice/hello"), &["main"]).await;
    assert!(!wrong.status.success() && stderr(&wrong).contains("Authentication failed"), "{}", stderr(&wrong));
    let foreign = work.push(&host.url("alice", "bob/private"), &["main"]).await;
    assert!(!foreign.status.success() && stderr(&foreign).contains("403"), "{}", stderr(&foreign));
    let missing = work.run(&["ls-remote", &host.url("alice", "bob/nothing")]).await;
    let hidden = work.run(&["ls-remote", &host.url("alice", "bob/private")]).await;
    assert!(stderr(&missing).contains("not found") && stderr(&hidden).contains("not found"));
    let platform = work.push(&host.url_with("x-access-token", &PLATFORM_TOKEN.into(), "bob/private"), &["main"]).await;
    assert!(stderr(&platform).contains("403"), "{}", stderr(&platform));
    let none = work.run(&["ls-remote", &format!("http://{}/bob/private.git", host.address)]).await;
    assert!(!none.status.success());
    assert!(!place.data.path().join("git/repositories/alice").exists(), "a refused push leaves nothing behind");
    assert_eq!(place.platform.webhooks().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_three_addresses_of_the_smart_protocol_exist() {
    let place = place().await;
    let work = Work::new().await;
    work.commit("stack.yml", "").await;
    assert!(work.push(&place.host.url("alice", "alice/hello"), &["main"]).await.status.success());
    let token = of_git::token(&place.host.config.token_key, &"alice".parse().unwrap());
    let cases = [
        ("GET", "/alice/hello.git/HEAD", 404),
        ("GET", "/alice/hello.git/config", 404),
        ("GET", "/alice/hello.git/objects/info/packs", 404),
        ("GET", "/alice/hello.git/info/refs", 403),
        ("GET", "/alice/hello.git/info/refs?service=git-upload-archive", 403),
        ("GET", "/alice/hello.git/info/refs?service=git-upload-pack&x=1", 403),
        ("GET", "/alice/hello/info/refs?service=git-upload-pack", 404),
        ("GET", "/alice/../alice/hello.git/info/refs?service=git-upload-pack", 404),
        ("GET", "/alice/%2e%2e/info/refs?service=git-upload-pack", 404),
        ("GET", "/alice/..%2falice%2fhello.git/info/refs?service=git-upload-pack", 404),
        ("GET", "/%2e%2e/hello.git/info/refs?service=git-upload-pack", 404),
        ("GET", "/alice/hello%00.git/info/refs?service=git-upload-pack", 404),
        ("GET", "//alice/hello.git/info/refs?service=git-upload-pack", 404),
        ("GET", "/system/hello.git/info/refs?service=git-receive-pack", 404),
        ("GET", "/alice/hello.git/git-upload-pack", 405),
        ("POST", "/alice/hello.git/git-upload-pack", 415),
        ("POST", "/alice/hello.git/git-receive-pack", 415),
        ("GET", "/alice/hello.git/info/refs?service=git-upload-pack", 200),
    ];
    for (method, path, expected) in cases {
        let status = raw(&place.host, method, path, &token);
        assert_eq!(status, expected, "{method} {path}");
    }
}

/// Sends a request line as it is; a client library would tidy the path up.
fn raw(host: &Host, method: &str, path: &str, token: &secrecy::SecretString) -> u16 {
    use base64::Engine;
    use secrecy::ExposeSecret;
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("alice:{}", token.expose_secret()));
    let mut stream = TcpStream::connect(host.address).unwrap();
    stream.set_read_timeout(Some(support::DEADLINE)).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Basic {basic}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_pushes_at_once_both_arrive_and_each_is_told_once() {
    let place = place().await;
    let url = place.host.url("alice", "alice/hello");
    let (one, two) = (Work::new().await, Work::new().await);
    let (first, second) = (one.commit("a", "1").await, two.commit("b", "2").await);
    let (a, b) = tokio::join!(one.push(&url, &["main:one"]), two.push(&url, &["main:two"]));
    assert!(a.status.success() && b.status.success(), "{} {}", stderr(&a), stderr(&b));
    let refs = one.git(&["ls-remote", &url]).await;
    assert!(refs.contains(&first) && refs.contains(&second));
    let mut told: Vec<_> = place.platform.wait_for(2).await.iter().map(|w| w.body["ref"].to_string()).collect();
    told.sort();
    assert_eq!(told, ["\"refs/heads/one\"", "\"refs/heads/two\""]);
}

#[tokio::test]
async fn a_push_that_is_too_large_is_refused_in_a_sentence_and_leaves_nothing() {
    let place = place_with(|c| c.max_push_bytes = 1 << 20).await;
    let work = Work::new().await;
    let mut noise = vec![0; 4 << 20];
    std::fs::File::open("/dev/urandom").unwrap().read_exact(&mut noise).unwrap();
    work.commit("noise", &noise).await;
    let output = work.push(&place.host.url("alice", "alice/hello"), &["main"]).await;
    assert!(!output.status.success());
    let said = remote_lines(&output).join("\n");
    assert!(said.contains("larger than 1 MiB"), "{}", stderr(&output));
    assert!(place.platform.webhooks().is_empty());
    assert!(!place.data.path().join("git/repositories/alice").exists());
    assert_eq!(std::fs::read_dir(place.data.path().join("git/pushing")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_rejected_update_is_not_told() {
    let place = place().await;
    let url = place.host.url("alice", "alice/hello");
    let (one, two) = (Work::new().await, Work::new().await);
    one.commit("a", "1").await;
    assert!(one.push(&url, &["main"]).await.status.success());
    two.commit("b", "2").await;
    let behind = two.push(&url, &["main", "main:other"]).await;
    assert!(!behind.status.success(), "a push that loses commits needs force");
    let deleted = one.push(&url, &[":main"]).await;
    assert!(!deleted.status.success(), "the default branch stays: {}", stderr(&deleted));
    let refs: Vec<_> = place.platform.wait_for(2).await.iter().map(|w| w.body["ref"].to_string()).collect();
    assert_eq!(refs, ["\"refs/heads/main\"", "\"refs/heads/other\""]);
}

#[tokio::test]
async fn the_rest_interface_wants_a_token() {
    let place = place().await;
    let work = Work::new().await;
    let sha = work.commit("a", "1").await;
    assert!(work.push(&place.host.url("alice", "alice/hello"), &["main"]).await.status.success());
    let client = sdk::http::client();
    let list = place.host.api(&format!("alice/hello/commits/{sha}/check-runs"));
    assert_eq!(client.get(&list).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(client.get(&list).bearer_auth("x").send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let answer = client.get(&list).bearer_auth(PLATFORM_TOKEN).send().await.unwrap();
    let answer: serde_json::Value = answer.json().await.unwrap();
    assert_eq!((&answer["total_count"], &answer["check_runs"][0]["name"]), (&1.into(), &"stack-deploy".into()));

    let unknown = serde_json::json!({"name": "x", "head_sha": "a".repeat(40)});
    let url = place.host.api("alice/hello/check-runs");
    let refused = client.post(&url).bearer_auth(PLATFORM_TOKEN).json(&unknown).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let nowhere = place.host.api("alice/other/check-runs");
    let refused = client.post(&nowhere).bearer_auth(PLATFORM_TOKEN).json(&unknown).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::NOT_FOUND);

    let status = place.host.api(&format!("alice/hello/statuses/{sha}"));
    let body = serde_json::json!({"state": "pending", "context": "greet", "description": "building"});
    for _ in 0..2 {
        let made = client.post(&status).bearer_auth(PLATFORM_TOKEN).json(&body).send().await.unwrap();
        assert_eq!(made.status(), StatusCode::CREATED);
    }
    for (list, count) in [(list, 1), (place.host.api(&format!("alice/hello/commits/{sha}/status")), 1)] {
        let answer = client.get(&list).bearer_auth(PLATFORM_TOKEN).send().await.unwrap();
        assert_eq!(answer.json::<serde_json::Value>().await.unwrap()["total_count"], count, "{list}");
    }
}
