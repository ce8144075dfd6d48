//! GitHub's published sample of a push webhook, at the door that GitHub would use.

use end_to_end::{Repository, login, platform};
use reqwest::Method;
use sdk::signing::sha256_header;
use secrecy::SecretString;
use serde_json::{Value, json};

const SAMPLE: &str = include_str!("../../github-event/tests/data/push.json");

#[test]
fn the_published_sample_is_refused_when_signed_wrongly_or_from_a_stranger() {
    let platform = platform!();
    let wrong = sha256_header(&SecretString::from("not the secret"), SAMPLE.as_bytes());
    for signature in [None, Some(wrong.as_str())] {
        let answer = platform.webhook("push", SAMPLE, signature);
        assert_eq!(answer.status, 401, "{}", answer.text);
    }
    let secret = SecretString::from(platform.secret("github-webhook-secret"));
    let stranger = platform.webhook("push", SAMPLE, Some(&sha256_header(&secret, SAMPLE.as_bytes())));
    assert_eq!(stranger.status, 403, "{}", stranger.text);
    assert!(stranger.text.contains("'codertocat' is not on the tenant list"), "{}", stranger.text);
    let ping = platform.webhook("ping", "{}", Some(&sha256_header(&secret, b"{}")));
    assert_eq!((ping.status, ping.text.trim()), (200, "pong"));
}

#[test]
fn the_published_sample_deploys_a_repository_when_signed_rightly() {
    let platform = platform!();
    let repository = Repository::with(&login("codertocat"), "Hello-World", &[("a", "one")]);
    repository.deploy(&platform);
    let service = format!("{}-a", repository.owner());
    let label = |name: &str| platform.label(&service, &format!("com.openfaas.cloud.{name}"));
    let owner_id: u64 = label("git-owner-id").parse().unwrap();
    let repo_id: u64 = label("git-repo-id").parse().unwrap();
    // The function goes; only the webhook can bring it back.
    let remove = platform.to_gateway(Method::DELETE, "/system/functions");
    let removed = platform.send(remove.body(json!({"functionName": service}).to_string()));
    assert_eq!(removed.status, 202, "{}", removed.text);
    platform.wait_for_containers(&[]);
    assert_eq!(platform.get(repository.owner(), "/a").status, 404);

    let mut sample: Value = serde_json::from_str(SAMPLE).unwrap();
    sample["ref"] = json!("refs/heads/main");
    sample["after"] = json!(repository.head());
    sample["repository"]["default_branch"] = json!("main");
    sample["repository"]["private"] = json!(true);
    sample["repository"]["id"] = json!(repo_id);
    sample["installation"]["id"] = json!(owner_id);
    sample["repository"]["owner"]["login"] = json!(repository.owner());
    sample["repository"]["owner"]["id"] = json!(owner_id);
    let answer = platform.signed_push(&sample);
    assert_eq!(answer.status, 202, "{}", answer.text);
    assert!(answer.text.contains("queued"), "{}", answer.text);
    platform.wait_for(repository.owner(), "a", "one");
    assert_eq!(platform.label(&service, "com.openfaas.cloud.git-sha"), repository.head());
    platform.wait_for_containers(&[&service]);
}
