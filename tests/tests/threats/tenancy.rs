//! Whose is what.

use end_to_end::{Repository, login, platform};
use reqwest::Method;
use serde_json::json;

const OWNER_ID: &str = "com.openfaas.cloud.git-owner-id";

#[test]
fn s30_a_name_that_two_owners_can_make_belongs_to_the_first() {
    let platform = platform!();
    let alice = Repository::with(&login("alice"), "app", &[("x-fn", "alice's")]);
    let longer = Repository::with(&format!("{}-x", alice.owner()), "app", &[("fn", "the other's")]);
    longer.deploy(&platform);
    let pushed = alice.push(&platform);
    assert!(pushed.says("is held by someone else"), "{pushed}");
    assert_eq!(platform.get(longer.owner(), "/fn").text, "the other's");
    assert_eq!(platform.get(alice.owner(), "/x-fn").status, 404);
    // Nor does the shorter name's collection of garbage reach the longer one's functions.
    alice.stack(&[("mine", "")]);
    alice.function("mine", "mine");
    alice.commit_and_push(&platform);
    assert_eq!(platform.get(alice.owner(), "/mine").text, "mine");
    assert_eq!(platform.get(longer.owner(), "/fn").text, "the other's");
}

#[test]
fn s31_no_tenant_replaces_a_function_of_the_platform() {
    let platform = platform!();
    for (owner, function) in [("github", "push"), ("audit", "event"), ("list", "functions"), ("pipeline", "log")] {
        let repository = Repository::with(owner, "app", &[(function, "mine now")]);
        let pushed = repository.push(&platform);
        assert!(pushed.says("belongs to the platform: rename the function"), "{owner}-{function}: {pushed}");
        assert_eq!(platform.get(owner, &format!("/{function}")).status, 404);
    }
    let image = json!({"service": "git-tar", "image": "debian:bookworm-slim"}).to_string();
    let deploy = |method: Method| platform.send(platform.to_gateway(method, "/system/functions").body(image.clone()));
    assert_eq!([deploy(Method::PUT).status, deploy(Method::POST).status], [409, 409], "not even through the gateway");
    let remove = platform.to_gateway(Method::DELETE, "/system/functions").body(r#"{"functionName": "git-tar"}"#);
    assert!((400..500).contains(&platform.send(remove).status));
    assert!(platform.containers().is_empty());
}

#[test]
fn s32_secrets_of_others_and_of_the_platform_are_not_mounted() {
    let platform = platform!();
    let alice = Repository::with(&login("alice"), "app", &[("a", "one")]);
    let longer = Repository::with(&format!("{}-x", alice.owner()), "app", &[("b", "two")]);
    longer.deploy(&platform);
    let secret = json!({"name": format!("{}-db", longer.owner()), "value": "theirs"}).to_string();
    assert_eq!(platform.send(platform.to_gateway(Method::POST, "/system/secrets").body(secret)).status, 202);
    alice.stack(&[("a", "secrets: [x-db]")]);
    let pushed = alice.commit_and_push(&platform);
    assert!(pushed.says("which belongs to someone else: rename it"), "{pushed}");
    let payload = Repository::with("payload", "app", &[("a", "one")]);
    payload.stack(&[("a", "secrets: [secret]")]);
    let pushed = payload.commit_and_push(&platform);
    assert!(pushed.says("the secret secret would be payload-secret, which belongs to someone else"), "{pushed}");
    longer.stack(&[("b", "secrets: [db]")]);
    let pushed = longer.commit_and_push(&platform);
    assert!(pushed.says("Deployed 1 function"), "one's own is: {pushed}");
}

#[test]
fn s33_the_owners_number_is_on_every_function_and_counts() {
    let platform = platform!();
    let alice = Repository::with(&login("alice"), "app", &[("a", "one")]);
    let bob = Repository::with(&login("bob"), "app", &[("a", "two")]);
    alice.deploy(&platform);
    bob.deploy(&platform);
    let number = |owner: &str| platform.label(&format!("{owner}-a"), OWNER_ID).parse::<u64>().unwrap();
    assert!(number(alice.owner()) > 0 && number(bob.owner()) > 0);
    assert_ne!(number(alice.owner()), number(bob.owner()));
    // The same login, as somebody else has it after a change of names.
    let mut body = crate::webhooks::push(&platform, &alice, "refs/heads/main", &alice.head());
    body["repository"]["owner"]["id"] = json!(987_654);
    assert_eq!(platform.signed_push(&body).status, 202);
    platform.wait_for_audit(&alice.head(), "is held by someone else");
    assert_eq!(platform.get(alice.owner(), "/a").text, "one");
}

#[test]
fn s34_a_tenants_labels_and_annotations_cannot_pass_for_the_platforms() {
    let platform = platform!();
    let repository = Repository::with(&login("alice"), "app", &[("a", "one")]);
    let lies = "labels: {com.openfaas.cloud.git-owner: victim, com.openfaas.cloud.git-owner-id: \"1\", role: openfaas-system}\n    annotations: {com.openfaas.cloud.git-repo-url: evil, prometheus.io.scrape: \"true\"}";
    repository.stack(&[("a", lies)]);
    let pushed = repository.commit_and_push(&platform);
    if pushed.says("Deployed 1 function") {
        let function = platform.function(&format!("{}-a", repository.owner())).unwrap();
        assert_eq!(function["labels"]["com.openfaas.cloud.git-owner"], repository.owner());
        assert_ne!(function["labels"]["role"], "openfaas-system");
        assert_ne!(function["annotations"]["com.openfaas.cloud.git-repo-url"], "evil");
        assert!(function["annotations"]["prometheus.io.scrape"].is_null());
    } else {
        assert!(pushed.says("FAILED: "), "{pushed}");
    }
}

#[test]
fn s35_a_function_is_confined() {
    let platform = platform!();
    let repository = Repository::with(&login("alice"), "app", &[("a", "one")]);
    repository.deploy(&platform);
    let inspected = platform.engine().inspect(&platform.containers()[0].id);
    let host = inspected.host_config.unwrap();
    assert_eq!(host.readonly_rootfs, Some(true));
    assert_eq!(host.privileged, Some(false));
    assert!(host.cap_drop.unwrap_or_default().iter().any(|dropped| dropped == "ALL"));
    assert!(host.security_opt.unwrap_or_default().iter().any(|option| option.starts_with("no-new-privileges")));
    assert!(host.memory.unwrap_or_default() > 0 && host.pids_limit.unwrap_or_default() > 0);
    assert!(host.port_bindings.unwrap_or_default().is_empty(), "nothing is published on this machine");
    assert_ne!(host.network_mode.as_deref(), Some("host"));
}

#[test]
fn s36_an_empty_tenant_list_lets_nobody_in() {
    let platform = platform!();
    let repository = Repository::with(&login("alice"), "app", &[("a", "one")]);
    repository.deploy(&platform);
    let body = crate::webhooks::push(&platform, &repository, "refs/heads/main", &repository.head());
    let list = platform.data().join("customers");
    let everybody = std::fs::read_to_string(&list).unwrap();
    std::fs::write(&list, "# nobody\n").unwrap();
    let answer = platform.signed_push(&body);
    assert_eq!(answer.status, 403, "{}", answer.text);
    // A list that became unusable leaves the last good one in force, and that has nobody in it.
    std::fs::write(&list, "<html>404 Not Found</html>\n").unwrap();
    assert_eq!(platform.signed_push(&body).status, 403);
    // By this list the end of the test knows whose images are to be removed.
    std::fs::write(&list, everybody).unwrap();
}
