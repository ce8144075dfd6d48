//! Projects that are no longer to be deployed.

use gitlab_api::fake::{Fault, Project};
use http::StatusCode;
use sdk::garbage::{GarbageRequest, Scope};

use crate::setup::{DESTROY, PROJECT, RENAME, Setup, TRANSFER, UPDATE, setup, setup_with};

fn request(setup: &Setup) -> GarbageRequest {
    let messages = setup.gateway.messages("garbage-collect");
    assert_eq!(messages.len(), 1);
    messages[0].read()
}

fn untagged() -> Project {
    Project { topics: vec![], ..Project::new(15, "acme/team/hello", 71) }
}

#[tokio::test]
async fn a_project_that_lost_its_topic_is_collected_by_its_number_alone() {
    let setup = setup().await;
    assert_eq!(setup.through(UPDATE).await.status, StatusCode::OK, "it has it still");
    assert!(setup.nothing_was_done());
    setup.gitlab.put_project(untagged());
    let worked = setup.work().await;
    let sentence = "the project lost its topic: the functions of acme/team/hello are deleted";
    assert_eq!((worked.status, worked.text.as_str()), (StatusCode::ACCEPTED, sentence));
    let request = request(&setup);
    assert_eq!((request.host.as_str(), request.owner.as_str(), request.owner_id), ("127.0.0.1", "acme-team", 71));
    assert_eq!((request.repo, request.repo_id), (Scope::Repo("hello".parse().unwrap()), Some(15)));
    assert!(request.keep.is_empty() && !request.former_owners && request.until.is_some());
    let audit = setup.first_audit().await;
    assert_eq!((audit.message.as_str(), audit.owner.as_str(), audit.repo.as_str()), (sentence, "acme-team", "hello"));
    assert_eq!(audit.owner_id.unwrap().id, 71);
}

#[tokio::test]
async fn a_renamed_project_keeps_its_functions_unless_it_lost_its_topic() {
    let setup = setup().await;
    assert_eq!(setup.through(RENAME).await.status, StatusCode::OK);
    assert!(setup.nothing_was_done());
    setup.gitlab.put_project(untagged());
    assert_eq!(setup.work().await.status, StatusCode::ACCEPTED);
    assert_eq!(request(&setup).repo_id, Some(15));
}

#[tokio::test]
async fn a_project_that_gitlab_does_not_speak_of_is_never_taken_for_untagged() {
    let setup = setup().await;
    setup.gitlab.remove_project(15);
    assert_eq!(setup.through(UPDATE).await.status, StatusCode::OK, "the token may have lost sight of it");
    setup.gitlab.put_project(Project::new(15, "acme/team/hello", 71));
    let no_topics = r#"{"id":15,"path":"hello","path_with_namespace":"acme/team/hello","visibility":"public","namespace":{"id":71,"full_path":"acme/team"}}"#;
    for (status, body) in [
        (StatusCode::UNAUTHORIZED, r#"{"message":"401 Unauthorized"}"#),
        (StatusCode::NOT_FOUND, "404 page not found"),
        (StatusCode::OK, "{}"),
        (StatusCode::OK, no_topics),
        (StatusCode::MOVED_PERMANENTLY, ""),
    ] {
        setup.gitlab.fail_next(PROJECT, Fault::new(status, body));
        assert!(setup.work().await.status.is_server_error(), "{status} {body}");
    }
    assert!(setup.nothing_was_done());
}

#[tokio::test]
async fn a_destroyed_project_is_collected_once_gitlab_no_longer_has_it() {
    let setup = setup_with(&[], "beta\n").await;
    assert_eq!(setup.through(DESTROY).await.status, StatusCode::SERVICE_UNAVAILABLE, "it is still there");
    let marked = Some("2026-12-24".to_owned());
    setup.gitlab.put_project(Project { marked_for_deletion_on: marked, ..Project::new(15, "acme/team/hello", 71) });
    assert_eq!(setup.work().await.status, StatusCode::OK);
    assert!(setup.nothing_was_done());
    setup.gitlab.remove_project(15);
    assert_eq!(setup.work().await.status, StatusCode::ACCEPTED, "even of who is no tenant any more");
    let request = request(&setup);
    assert_eq!((request.owner_id, request.repo_id, request.former_owners), (0, Some(15), true));
    assert_eq!(setup.first_audit().await.owner_id, None);
    assert_eq!(request.owner.as_str(), "acme-team");
}

#[tokio::test]
async fn a_transferred_project_leaves_nothing_at_its_former_owners() {
    let setup = setup().await;
    assert_eq!(setup.through(TRANSFER).await.status, StatusCode::OK, "GitLab says that it is where it was");
    assert!(setup.nothing_was_done());
    setup.gitlab.put_project(Project::new(15, "beta/hello", 80));
    assert_eq!(setup.work().await.status, StatusCode::ACCEPTED);
    let request = request(&setup);
    assert_eq!((request.owner.as_str(), request.owner_id, request.former_owners), ("acme-team", 80, true));
    assert_eq!(request.repo_id, Some(15));
}

#[tokio::test]
async fn paths_that_cannot_be_owners_have_nothing_to_lose() {
    let setup = setup().await;
    setup.gitlab.remove_project(15);
    let worked = setup.through(&DESTROY.replace("acme/team/hello", "my_group/hello")).await;
    let sentence = "'my_group/hello' can have deployed nothing here: nothing is deleted";
    assert_eq!((worked.status, worked.text.as_str()), (StatusCode::OK, sentence));
    assert!(setup.nothing_was_done());
}
