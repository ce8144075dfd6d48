//! What the platform's functions believe of each other.

use std::time::Duration;

use end_to_end::{Platform, Repository, login, options, platform};
use reqwest::Method;
use sdk::signing::Key;
use secrecy::SecretString;
use serde_json::json;

fn post(platform: &Platform, function: &str, headers: &[(&str, String)], body: &str) -> u16 {
    let url = format!("http://{}/function/{function}", platform.gateway());
    let mut request = reqwest::Client::new().post(url).body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    platform.send(request).status
}

fn key(platform: &Platform, function: &str) -> Key {
    Key::derive(&SecretString::from(platform.secret("payload-secret")), function)
}

const EVENT: &str = r#"{"source":"test","message":"a test"}"#;

#[test]
fn s22_everything_that_is_acted_on_is_under_the_signature() {
    let platform = platform!();
    let signed = key(&platform, "audit-event").sign(&Method::POST, EVENT.as_bytes(), Duration::from_secs(60));
    assert_eq!(post(&platform, "audit-event", &signed, EVENT), 200);
    assert_eq!(post(&platform, "audit-event", &signed, &EVENT.replace("a test", "a lie")), 401);
    let mut longer = signed.clone();
    longer[0].1 = "99999999999".to_owned();
    assert_eq!(post(&platform, "audit-event", &longer, EVENT), 401, "its time");
    for function in ["git-tar", "github-push", "pipeline-log", "buildshiprun", "garbage-collect"] {
        assert_eq!(post(&platform, function, &signed, EVENT), 401, "its target: {function}");
    }
    // What the original took from headers is not looked at.
    let mut headers = signed.to_vec();
    headers.extend([("owner", "mallory".to_owned()), ("service", "victim".to_owned())]);
    assert_eq!(post(&platform, "audit-event", &headers, EVENT), 200);
    assert!(!platform.audit().iter().any(|line| line["owner"] == "mallory"));
}

#[test]
fn s23_signatures_are_sha_256_expire_and_have_one_purpose() {
    let platform = platform!();
    let expired = key(&platform, "audit-event").sign(&Method::POST, EVENT.as_bytes(), Duration::ZERO);
    let second = expired[0].1.clone();
    end_to_end::until("that second is over", || {
        std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() > second.parse().unwrap()
    });
    assert_eq!(post(&platform, "audit-event", &expired, EVENT), 401);
    let repository = Repository::with(&login("alice"), "app", &[("a", "one")]);
    let body = json!({"ref": "refs/heads/main", "repository": repository.path()}).to_string();
    let sha1 = format!("sha1={}", "0".repeat(40));
    let url = format!("http://{}/function/github-event", platform.gateway());
    let old = reqwest::Client::new().post(url).header("x-github-event", "push").header("x-hub-signature", sha1);
    assert_eq!(platform.send(old.body(body)).status, 401);
}

#[test]
fn s24_no_switch_turns_verification_off() {
    let mut options = options!();
    for switch in ["validate_hmac", "validate_customers", "validate_token", "disable_hmac", "insecure", "read_auth"] {
        let off = if switch == "disable_hmac" || switch == "insecure" { "true" } else { "false" };
        options = options.variable(switch, off);
    }
    let platform = Platform::start(options);
    assert_eq!(post(&platform, "git-tar", &[], "{}"), 401);
    assert_eq!(post(&platform, "buildshiprun", &[], ""), 401);
    assert_eq!(platform.webhook("push", "{}", None).status, 401);
    let url = format!("http://{}/build", platform.builder());
    assert_eq!(platform.send(reqwest::Client::new().post(url).body("x")).status, 401);
}

#[test]
fn s44_the_audit_trail_and_the_collector_listen_to_the_platform_alone() {
    let platform = platform!();
    assert_eq!(post(&platform, "audit-event", &[], EVENT), 401);
    let repository = Repository::with(&login("alice"), "app", &[("a", "one")]);
    repository.deploy(&platform);
    let everything = |owner: &str, id: u64| {
        let host = platform.label(&format!("{}-a", repository.owner()), "com.openfaas.cloud.git-scm");
        json!({"host": host, "owner": owner, "owner_id": id, "repo": "*", "keep": []}).to_string()
    };
    assert_eq!(post(&platform, "garbage-collect", &[], &everything(repository.owner(), 1)), 401);
    // Signed, but for another number, or for a login whose beginning is the same.
    for (owner, id) in [(repository.owner(), 987_654), (&repository.owner()[..5], 987_654)] {
        let answer = platform.call("garbage-collect", everything(owner, id));
        assert_eq!((answer.status, answer.json()["deleted"].as_array().unwrap().len()), (200, 0), "{}", answer.text);
    }
    assert_eq!(platform.get(repository.owner(), "/a").text, "one");
    assert!(platform.audit().iter().all(|line| line["source"] != "test"));
}
