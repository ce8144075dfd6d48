use super::*;
use crate::garbage::Scope;

fn push(owner_id: u64) -> PushEvent {
    serde_json::from_value(serde_json::json!({
        "host": "git.localhost", "owner": "alice", "owner_id": owner_id, "repo": "shop", "repo_id": 2, "private": false,
        "branch": "main", "default_branch": "main", "sha": "a".repeat(40), "html_url": "", "installation": 0,
        "pusher": "bob",
    }))
    .unwrap()
}

fn seven() -> Option<OwnerId> {
    Some(OwnerId { host: "git.localhost".to_owned(), id: 7 })
}

fn removal(owner_id: u64, former_owners: bool) -> GarbageRequest {
    GarbageRequest {
        host: "git.localhost".to_owned(),
        owner: "alice".parse().unwrap(),
        owner_id,
        repo: Scope::Everything,
        repo_id: None,
        former_owners,
        until: None,
        sha: None,
        actor: "bob".to_owned(),
        keep: Vec::new(),
    }
}

#[test]
fn events_of_before_are_read_as_they_were_meant() {
    let before = r#"{"source": "git-tar", "message": "done", "owner": "alice"}"#;
    let event: AuditEvent = serde_json::from_str(before).unwrap();
    let expected = AuditEvent {
        source: "git-tar".to_owned(),
        message: "done".to_owned(),
        owner: "alice".to_owned(),
        ..AuditEvent::default()
    };
    assert_eq!(event, expected);
    let text = serde_json::to_string(&event).unwrap();
    assert!(!text.contains("owner_id") && !text.contains("at\":") && !text.contains("function"), "{text}");
}

#[test]
fn an_owner_is_named_by_number_where_that_is_proven() {
    assert_eq!(AuditEvent::about(&push(7)).owner_id, seven());
    assert_eq!(AuditEvent::about(&push(0)).owner_id, None);
    let event = AuditEvent::about_removal(&removal(7, false));
    assert_eq!((event.owner_id, event.repo.as_str(), event.actor.as_str()), (seven(), "*", "bob"));
    // The number is of who has the repository today, and what goes is not theirs.
    assert_eq!(AuditEvent::about_removal(&removal(7, true)).owner_id, None);
    assert_eq!(AuditEvent::about_removal(&removal(0, false)).owner_id, None);
}

#[test]
fn a_place_in_the_trail_is_read_back_and_nothing_else_is_one() {
    for mark in [AuditMark { at: 0, sum: 0 }, AuditMark { at: 1_790_000_000_000, sum: u64::MAX }] {
        assert_eq!(mark.to_string().parse(), Ok(mark));
        assert_eq!(serde_json::from_str::<AuditMark>(&format!("\"{mark}\"")).unwrap(), mark);
    }
    for wrong in
        ["", "-", "1", "1-1", "01-0000000000000000", "1-000000000000000G", "1-+000000000000001", "-1-0000000000000000"]
    {
        assert_eq!(wrong.parse::<AuditMark>(), Err(InvalidMark), "{wrong}");
    }
}
