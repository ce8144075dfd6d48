use proptest::prelude::*;

use super::*;

const SAMPLE: &str = include_str!("../../tests/data/push.json");

fn source() -> Source {
    Source { host: "github.com".to_owned(), pages: "https://github.com".to_owned(), app_id: None }
}

fn parse(text: &str) -> Result<Order, Malformed> {
    read("push", text.as_bytes(), &source())
}

fn deployed(text: &str) -> PushEvent {
    match parse(text).unwrap() {
        Order::Deploy(event) => *event,
        other => panic!("not a push of a branch: {other:?}"),
    }
}

fn nothing(text: &str) -> String {
    match parse(text).unwrap() {
        Order::Note(note) => note.sentence,
        other => panic!("something to do: {other:?}"),
    }
}

fn changed(change: impl FnOnce(&mut serde_json::Value)) -> String {
    let mut value = serde_json::from_str(SAMPLE).unwrap();
    change(&mut value);
    value.to_string()
}

fn complaint(change: impl FnOnce(&mut serde_json::Value)) -> String {
    parse(&changed(change)).unwrap_err().to_string()
}

#[test]
fn githubs_sample_is_understood() {
    let event = deployed(SAMPLE);
    assert_eq!(event.owner.as_str(), "codertocat");
    assert_eq!((event.owner_id, event.repo_id, event.installation), (21_031_067, 186_853_002, 1));
    assert_eq!(event.repo.as_str(), "Hello-World");
    assert_eq!((event.branch.as_str(), event.default_branch.as_str()), ("master", "master"));
    assert_eq!(event.sha.as_str(), "6113728f27ae82c7b1a177c8d03f9e96e0adf246");
    assert_eq!(event.html_url, "https://github.com/codertocat/Hello-World");
    assert_eq!(event.pusher, "Codertocat");
}

#[test]
fn what_the_payload_says_about_its_host_is_not_believed() {
    let text = changed(|push| push["repository"]["html_url"] = "https://evil.example/alice/x".into());
    let event = deployed(&text);
    assert_eq!(
        (event.host.as_str(), event.html_url.as_str()),
        ("github.com", "https://github.com/codertocat/Hello-World")
    );
}

#[test]
fn a_branch_with_a_slash_keeps_all_its_parts() {
    let text = changed(|push| push["ref"] = "refs/heads/evil/master".into());
    let event = deployed(&text);
    assert_eq!(event.branch, "evil/master");
}

#[test]
fn tags_and_deletions_are_nothing_to_do() {
    let tag = changed(|push| push["ref"] = "refs/tags/simple-tag".into());
    assert_eq!(nothing(&tag), "refs/tags/simple-tag is no branch: nothing to do");
    let zero = "0".repeat(40);
    let deleted = changed(|push| push["after"] = zero.into());
    assert_eq!(nothing(&deleted), "the branch master was deleted: nothing to do");
    assert_eq!(nothing(&changed(|push| push["deleted"] = true.into())), "the branch master was deleted: nothing to do");
}

#[test]
fn a_complaint_names_the_field() {
    assert!(complaint(|p| p["after"] = "abc".into()).contains("after: 'abc' is not a full commit id"));
    assert!(complaint(|p| p["repository"]["owner"]["id"] = 0.into()).contains("repository.owner.id: must be greater"));
    assert!(complaint(|p| p["repository"]["id"] = "7".into()).contains("repository.id: invalid type: string"));
    assert!(complaint(|p| p["repository"]["name"] = "../x".into()).contains("repository.name: '../x' is not"));
    assert!(complaint(|p| p["repository"]["owner"]["login"] = "a_b".into()).contains("repository.owner.login: "));
    assert!(complaint(|p| p["ref"] = serde_json::Value::Null).contains("ref: invalid type: null"));
    assert!(
        complaint(|p| drop(p["repository"].as_object_mut().unwrap().remove("default_branch")))
            .contains("default_branch")
    );
    let huge = complaint(|p| p["repository"]["id"] = "x".repeat(100_000).into());
    assert!(huge.len() < 1000, "{}", huge.len());
    assert!(parse("not json").unwrap_err().to_string().starts_with("expected"));
    assert!(parse(&format!("{SAMPLE} x")).is_err());
}

const KINDS: [&str; 7] =
    ["push", "check_run", "check_suite", "deployment", "installation", "installation_repositories", "repository"];

#[test]
fn every_kind_names_what_it_misses() {
    for (kind, action, field) in [
        ("check_run", "rerequested", "check_run"),
        ("check_suite", "rerequested", "check_suite"),
        ("deployment", "created", "deployment"),
        ("installation", "deleted", "installation"),
        ("installation_repositories", "removed", "installation"),
        ("repository", "deleted", "repository"),
    ] {
        let body = serde_json::json!({"action": action}).to_string();
        let complaint = read(kind, body.as_bytes(), &source()).unwrap_err().to_string();
        assert!(complaint.contains(&format!("missing field `{field}`")), "{kind}: {complaint}");
        assert!(read(kind, b"{}", &source()).unwrap_err().to_string().contains("missing field `action`"));
    }
}

proptest! {
    #[test]
    fn no_body_makes_it_panic(body in proptest::collection::vec(any::<u8>(), 0..2000)) {
        for kind in KINDS {
            let _ = read(kind, &body, &source());
        }
    }

    #[test]
    fn no_cut_or_changed_sample_makes_it_panic(at in 0..SAMPLE.len(), byte in any::<u8>(), cut in any::<bool>()) {
        let mut body = SAMPLE.as_bytes().to_vec();
        if cut { body.truncate(at) } else { body[at] = byte }
        let _ = read("push", &body, &source());
    }

    #[test]
    fn any_text_in_any_field_gives_an_event_or_a_refusal(text in "\\PC{0,80}") {
        for field in ["ref", "after"] {
            let _ = parse(&changed(|push| push[field] = text.clone().into()));
        }
        for field in ["name", "default_branch"] {
            let _ = parse(&changed(|push| push["repository"][field] = text.clone().into()));
        }
    }
}
