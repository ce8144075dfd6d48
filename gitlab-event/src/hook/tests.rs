use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const PUSH: &str = include_str!("../../tests/data/project_push.json");
const SYSTEM_PUSH: &str = include_str!("../../tests/data/system_push.json");
const UPDATE: &str = include_str!("../../tests/data/system_project_update.json");
const TRANSFER: &str = include_str!("../../tests/data/system_project_transfer.json");

fn seen(header: &str, body: &str) -> Result<Seen, Refusal> {
    let mut headers = HeaderMap::new();
    headers.insert(HEADER, header.parse().unwrap());
    read(&headers, body.as_bytes())
}

fn notice(header: &str, body: &str) -> Notice {
    match seen(header, body).unwrap() {
        Seen::Notice(notice) => *notice,
        Seen::Nothing(sentence) => panic!("{sentence}"),
    }
}

fn changed(sample: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut value = serde_json::from_str(sample).unwrap();
    change(&mut value);
    value.to_string()
}

fn complaint(sample: &str, change: impl FnOnce(&mut Value)) -> String {
    seen("System Hook", &changed(sample, change)).unwrap_err().to_string()
}

#[test]
fn both_families_of_hooks_say_the_same() {
    let expected = Notice {
        project: 15,
        path: "acme/team/hello".parse().unwrap(),
        actor: "jsmith".to_owned(),
        what: What::Pushed {
            branch: "main".to_owned(),
            sha: "da1560886d4f094c3e6c9ef40349f7d38b5d27d7".parse().unwrap(),
        },
    };
    assert_eq!(notice("Push Hook", PUSH), expected);
    assert_eq!(notice("System Hook", SYSTEM_PUSH), expected);
    let before_15 = changed(PUSH, |push| drop(push.as_object_mut().unwrap().remove("event_name")));
    assert_eq!(notice("Push Hook", &before_15), expected);
    let destroyed = include_str!("../../tests/data/system_project_destroy.json");
    let gone = Notice { actor: String::new(), what: What::Destroyed, ..expected };
    assert_eq!(notice("System Hook", destroyed), gone);
    assert_eq!(notice("Project Hook", destroyed), gone);
}

#[test]
fn changes_of_a_project_are_told_apart() {
    assert_eq!(notice("System Hook", UPDATE).what, What::Changed);
    let rename = include_str!("../../tests/data/system_project_rename.json");
    assert_eq!((notice("System Hook", rename).what, notice("System Hook", rename).project), (What::Changed, 15));
    let from = "acme/team/hello".parse().unwrap();
    assert_eq!(notice("System Hook", TRANSFER).what, What::Transferred { from });
    assert_eq!(notice("System Hook", TRANSFER).path.as_str(), "beta/hello");
}

#[test]
fn tags_deletions_and_other_events_are_nothing_to_do() {
    let tag = include_str!("../../tests/data/tag_push.json");
    assert_eq!(seen("Tag Push Hook", tag).unwrap(), Seen::Nothing("tag_push is not handled".to_owned()));
    let deleted = changed(PUSH, |push| push["after"] = "0".repeat(40).into());
    assert_eq!(
        seen("Push Hook", &deleted).unwrap(),
        Seen::Nothing("the branch main was deleted: nothing to do".to_owned())
    );
    let tag = changed(PUSH, |push| push["ref"] = "refs/tags/main".into());
    assert_eq!(
        seen("Push Hook", &tag).unwrap(),
        Seen::Nothing("refs/tags/main is no branch: nothing to do".to_owned())
    );
    for event in ["repository_update", "project_create", "user_create", "group_rename", "key_destroy", "new\u{7} one"] {
        let body = json!({"event_name": event}).to_string();
        assert!(matches!(seen("System Hook", &body).unwrap(), Seen::Nothing(_)), "{event}");
    }
    let merge = json!({"object_kind": "merge_request", "event_type": "merge_request"}).to_string();
    assert!(matches!(seen("Merge Request Hook", &merge).unwrap(), Seen::Nothing(_)));
    assert!(matches!(seen("System Hook", &merge).unwrap(), Seen::Nothing(_)));
}

#[test]
fn a_branch_with_a_slash_keeps_all_its_parts() {
    let slashed = changed(PUSH, |push| push["ref"] = "refs/heads/evil/main".into());
    let What::Pushed { branch, .. } = notice("Push Hook", &slashed).what else { panic!("not a push") };
    assert_eq!(branch, "evil/main");
}

#[test]
fn a_complaint_names_the_field() {
    let says = |text: String, expected: &str| assert!(text.contains(expected), "{text}");
    says(complaint(PUSH, |p| p["after"] = "abc".into()), "after: 'abc' is not a full commit id");
    says(complaint(PUSH, |p| p["ref"] = Value::Null), "ref: invalid type: null");
    says(complaint(PUSH, |p| p["ref"] = "refs/heads/a b".into()), "ref: is no branch name");
    says(complaint(PUSH, |p| p["project_id"] = 16.into()), "project.id: is not project_id");
    says(complaint(SYSTEM_PUSH, |p| p["project_id"] = 0.into()), "project_id: must be greater than 0");
    says(complaint(PUSH, |p| p["project"]["path_with_namespace"] = "../x".into()), "project.path_with_namespace: ");
    says(complaint(UPDATE, |p| p["path_with_namespace"] = "hello".into()), "path_with_namespace: 'hello' is not");
    says(complaint(UPDATE, |p| p["project_id"] = "7".into()), "project_id: invalid type: string");
    let removed = |p: &mut Value| drop(p.as_object_mut().unwrap().remove("old_path_with_namespace"));
    says(complaint(TRANSFER, removed), "old_path_with_namespace: is missing");
    says(complaint("{}", |_| ()), "event_name: is missing");
    says(seen("Push Hook", UPDATE).unwrap_err().to_string(), "object_kind: 'project_update' is no Push Hook");
    says(seen("Push Hook", "no json").unwrap_err().to_string(), "the webhook is not understood: expected");
    assert!(matches!(read(&HeaderMap::new(), PUSH.as_bytes()), Err(Refusal::NoEvent)));
}

proptest! {
    #[test]
    fn no_body_makes_it_panic(body in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let headers = HeaderMap::from_iter([(HEADER.parse().unwrap(), "System Hook".parse().unwrap())]);
        let _ = read(&headers, &body);
    }

    #[test]
    fn no_cut_or_changed_sample_makes_it_panic(at in 0..PUSH.len(), byte in any::<u8>(), cut in any::<bool>()) {
        let mut body = PUSH.as_bytes().to_vec();
        if cut { body.truncate(at) } else { body[at] = byte }
        let headers = HeaderMap::from_iter([(HEADER.parse().unwrap(), "Push Hook".parse().unwrap())]);
        let _ = read(&headers, &body);
    }

    #[test]
    fn any_text_in_any_field_gives_a_notice_or_a_refusal(text in "\\PC{0,80}") {
        for field in ["ref", "after", "event_name", "object_kind", "user_username"] {
            let _ = seen("System Hook", &changed(PUSH, |push| push[field] = text.clone().into()));
        }
        for field in ["path_with_namespace", "old_path_with_namespace"] {
            let _ = seen("System Hook", &changed(TRANSFER, |event| event[field] = text.clone().into()));
        }
    }
}
