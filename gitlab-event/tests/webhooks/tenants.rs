//! Who may deploy, and under which name.

use gitlab_api::fake::Project;
use http::StatusCode;
use sdk::event::PushEvent;

use crate::setup::{PUSH, Setup, Worked, setup, setup_with};

/// A push to a project at `path`, in the namespace of that number.
async fn push(setup: &Setup, path: &str, namespace_id: u64) -> Worked {
    setup.gitlab.put_project(Project::new(15, path, namespace_id));
    // The payload's own words about it are the samples': they let it pass the door and decide nothing.
    setup.through(PUSH).await
}

#[expect(clippy::unwrap_used, reason = "test helper")]
fn owner(setup: &Setup) -> (String, u64) {
    let event: PushEvent = setup.gateway.messages("gitlab-push").pop().unwrap().read();
    (event.owner.to_string(), event.owner_id)
}

/// S40: one field was authorised, another deployed, and that one a display name.
#[tokio::test]
async fn s40_the_owner_is_who_gitlab_says_by_path_and_number_and_never_a_display_name() {
    let setup = setup().await;
    let mallory = Project { namespace_name: "acme".to_owned(), kind: "user", ..Project::new(15, "mallory/hello", 66) };
    setup.gitlab.put_project(mallory);
    let worked = setup.through(PUSH).await;
    let sentence = "'mallory' is not on the tenant list: ask the operator of this platform";
    assert_eq!((worked.status, worked.text.as_str()), (StatusCode::FORBIDDEN, sentence));
    assert_eq!(setup.first_audit().await.owner, "mallory");
    assert!(setup.nothing_was_done());
}

#[tokio::test]
async fn users_and_groups_at_any_depth_are_owners_if_the_top_one_is_a_tenant() {
    for (path, login) in [("Acme/hello", "acme"), ("Acme/Team/hello", "acme-team"), ("acme/a/b/hello", "acme-a-b")] {
        let setup = setup().await;
        assert_eq!(push(&setup, path, 71).await.status, StatusCode::ACCEPTED, "{path}");
        assert_eq!(owner(&setup), (login.to_owned(), 71));
    }
}

/// S30: two owners never have one name: `acme/team` is not `acme-team`.
#[tokio::test]
async fn s30_a_group_in_a_group_cannot_take_another_tenants_name() {
    let setup = setup_with(&[], "acme\nacme-team\n").await;
    let worked = push(&setup, "acme/team/hello", 71).await;
    let sentence = "'acme/team' would be 'acme-team' here, which is another tenant's login";
    assert_eq!((worked.status, worked.text.as_str()), (StatusCode::CONFLICT, sentence));
    assert!(setup.nothing_was_done());
    assert_eq!(push(&setup, "acme-team/hello", 90).await.status, StatusCode::ACCEPTED);
    assert_eq!(owner(&setup), ("acme-team".to_owned(), 90));

    let foreign = setup_with(&[], "acme-team\nacme-other\n").await;
    foreign.gitlab.put_project(Project::new(15, "acme/team/hello", 71));
    let (status, _) = foreign.send(crate::setup::webhook("Push Hook", crate::setup::SECRET), PUSH).await;
    assert_eq!(status, StatusCode::OK, "'acme' is not listed, so it cannot become a tenant by a group's name");
    assert!(foreign.gateway.messages("gitlab-event").is_empty());
}

#[tokio::test]
async fn a_number_on_the_tenant_list_is_the_top_namespaces() {
    let setup = setup_with(&[], "acme 127.0.0.1/70\n").await;
    assert_eq!(push(&setup, "acme/hello", 70).await.status, StatusCode::ACCEPTED);
    let other = setup_with(&[], "acme 127.0.0.1/99\n").await;
    for (path, id) in [("acme/hello", 70), ("acme/team/hello", 99)] {
        let worked = push(&other, path, id).await;
        assert_eq!(worked.status, StatusCode::FORBIDDEN, "{path}");
        assert!(worked.text.contains("with the number of another namespace"), "{}", worked.text);
    }
}

#[tokio::test]
async fn names_that_do_not_fit_or_are_the_platforms_are_refused_with_the_reason() {
    let setup = setup_with(&[], "acme\ngit\n").await;
    for path in ["acme/my_team/hello", "acme/a.b/hello", "acme/the-team-with-the-longest-name-of-all/x"] {
        let worked = push(&setup, path, 72).await;
        assert_eq!(worked.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
        assert!(
            worked.text.contains("cannot deploy here") && worked.text.contains("1 to 39 letters"),
            "{}",
            worked.text
        );
    }
    let worked = push(&setup, "git/hello", 73).await;
    assert_eq!(
        (worked.status, worked.text.as_str()),
        (StatusCode::FORBIDDEN, "'git' is a name of the platform and cannot deploy here")
    );
    assert!(setup.nothing_was_done());
}

#[tokio::test]
async fn a_top_group_that_the_token_may_not_see_admits_nobody() {
    let setup = setup_with(&[], "hidden\nacme\n").await;
    assert_eq!(push(&setup, "hidden/team/hello", 75).await.status, StatusCode::FORBIDDEN);
    assert!(setup.nothing_was_done());
}
