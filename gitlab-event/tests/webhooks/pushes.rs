//! Pushes.

use gitlab_api::fake::{Fault, Project};
use http::StatusCode;
use sdk::event::{PushEvent, Scm};

use crate::setup::{PROJECT, PUSH, SECRET, SYSTEM_PUSH, setup, setup_with, webhook};

#[tokio::test]
async fn a_push_is_queued_at_once_and_goes_on_as_gitlab_tells_it() {
    let setup = setup().await;
    for (event, body) in [("Push Hook", PUSH), ("System Hook", SYSTEM_PUSH), ("Push Hook", PUSH)] {
        let answer = setup.send(webhook(event, SECRET), body).await;
        assert_eq!(answer, (StatusCode::ACCEPTED, "acme/team/hello: queued\n".to_owned()));
    }
    assert!(setup.gitlab.requests().is_empty(), "GitLab is not asked while it waits for an answer");
    let queued = setup.gateway.messages("gitlab-event");
    assert_eq!((queued.len(), queued[0].queued), (1, true), "the same delivery is the same job");
    assert_eq!(queued[0].call, "908a6d9e-45fd-46c8-97e6-c4f350f219dd");

    let worked = setup.work().await;
    assert_eq!(worked.status, StatusCode::ACCEPTED);
    assert_eq!(worked.text, "acme/team/hello main da15608: queued");
    let messages = setup.gateway.messages("gitlab-push");
    assert_eq!((messages.len(), messages[0].call.as_str()), (1, "908a6d9e-45fd-46c8-97e6-c4f350f219dd"));
    let expected = PushEvent {
        scm: Scm::Gitlab,
        host: "127.0.0.1".to_owned(),
        owner: "acme-team".parse().unwrap(),
        owner_id: 71,
        repo: "hello".parse().unwrap(),
        repo_id: 15,
        path: Some("acme/team/hello".parse().unwrap()),
        private: true,
        branch: "main".to_owned(),
        default_branch: "main".to_owned(),
        sha: "da1560886d4f094c3e6c9ef40349f7d38b5d27d7".parse().unwrap(),
        html_url: format!("{}/acme/team/hello", setup.gitlab.url()),
        installation: 0,
        pusher: "jsmith".to_owned(),
        pinned: false,
        asked_at: None,
        rebuild: false,
        restart: Vec::new(),
    };
    assert_eq!(messages[0].read::<PushEvent>(), expected);
}

#[tokio::test]
async fn only_projects_with_the_topic_are_deployed() {
    let setup = setup().await;
    let plain = Project::new(15, "acme/hello", 70);
    setup.gitlab.put_project(Project { topics: vec!["openfaas".to_owned()], ..plain.clone() });
    let worked = setup.through(PUSH).await;
    assert_eq!(worked.status, StatusCode::OK);
    assert_eq!(worked.text, "the project does not have the topic 'openfaas-cloud': nothing to do");
    setup.gitlab.remove_project(15);
    let worked = setup.work().await;
    assert_eq!(worked.text, "GitLab does not show the project to this platform's token: nothing to do");
    assert!(setup.nothing_was_done());
    setup.gitlab.put_project(Project { old: true, ..plain.clone() });
    assert_eq!(setup.work().await.status, StatusCode::ACCEPTED, "a GitLab that says tag_list");

    let other = setup_with(&[("installation_tag", "Deploy-Me")], "acme\n").await;
    other.gitlab.put_project(plain.clone());
    assert_eq!(other.through(PUSH).await.status, StatusCode::OK);
    other.gitlab.put_project(Project { topics: vec!["deploy-me".to_owned()], ..plain });
    assert_eq!(other.work().await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn only_public_projects_are_public() {
    let setup = setup().await;
    for (visibility, private) in [("public", false), ("internal", true), ("private", true), ("new kind", true)] {
        let body = PUSH.replace("da1560886d4f", &format!("{:012x}", visibility.len()));
        setup.gitlab.put_project(Project { visibility, ..Project::new(15, "acme/hello", 70) });
        let request = webhook("Push Hook", SECRET).header("x-gitlab-event-uuid", visibility.replace(' ', "-"));
        let request = {
            let mut request = request;
            request.headers_mut().unwrap().remove("idempotency-key");
            request
        };
        setup.send(request, body).await;
        setup.work().await;
        let event: PushEvent = setup.gateway.messages("gitlab-push").pop().unwrap().read();
        assert_eq!(event.private, private, "{visibility}");
    }
}

#[tokio::test]
async fn a_gitlab_that_does_not_answer_well_is_asked_again_later() {
    let setup = setup().await;
    setup.send(webhook("Push Hook", SECRET), PUSH).await;
    let faults = [
        (StatusCode::UNAUTHORIZED, r#"{"message":"401 Unauthorized"}"#),
        (StatusCode::FORBIDDEN, r#"{"message":"403 Forbidden"}"#),
        (StatusCode::NOT_FOUND, "<html>not here</html>"),
        (StatusCode::OK, "<html>maintenance</html>"),
        (StatusCode::OK, r#"{"id":15}"#),
    ];
    for (status, body) in faults {
        setup.gitlab.fail_next(PROJECT, Fault::new(status, body));
        let worked = setup.work().await;
        assert_eq!(
            (worked.status, worked.text.as_str()),
            (StatusCode::BAD_GATEWAY, "GitLab could not be asked about the project")
        );
    }
    setup.gitlab.put_project(Project { default_branch: None, ..Project::new(15, "acme/hello", 70) });
    assert_eq!(setup.work().await.status, StatusCode::SERVICE_UNAVAILABLE, "the first push may be faster than that");
    setup.gitlab.put_project(Project::new(15, "acme/hello", 70));
    setup.gitlab.fail_next(PROJECT, Fault::busy(600));
    let worked = setup.work().await;
    assert_eq!(worked.status, StatusCode::BAD_GATEWAY);
    assert!(worked.retry_after.is_some_and(|seconds| (590..=601).contains(&seconds)), "{worked:?}");
    assert!(setup.audits().is_empty(), "nothing was refused");
    assert!(setup.nothing_was_done());
}

#[tokio::test]
async fn queues_that_take_nothing_are_said_to_be_full() {
    let setup = setup().await;
    setup.gateway.refuse_next("POST /async-function/gitlab-event", StatusCode::INSUFFICIENT_STORAGE, "disk full");
    let (status, text) = setup.send(webhook("Push Hook", SECRET), PUSH).await;
    assert_eq!(
        (status, text.as_str()),
        (StatusCode::BAD_GATEWAY, "the webhook could not be queued: send it again in a minute\n")
    );
    setup.gateway.refuse_next("POST /async-function/gitlab-push", StatusCode::INSUFFICIENT_STORAGE, "disk full");
    assert_eq!(setup.through(PUSH).await.status, StatusCode::BAD_GATEWAY);
    assert_eq!(setup.work().await.status, StatusCode::ACCEPTED);
    assert_eq!(setup.gateway.messages("gitlab-push").len(), 1);
}

/// S41: a branch is its whole name, and neither a tag nor a deletion is one.
#[tokio::test]
async fn s41_tags_and_deletions_never_deploy_and_branches_keep_their_names() {
    let setup = setup().await;
    let deleted = PUSH.replace(
        r#""after": "da1560886d4f094c3e6c9ef40349f7d38b5d27d7""#,
        &format!(r#""after": "{}""#, "0".repeat(40)),
    );
    let tag = PUSH.replace("refs/heads/main", "refs/tags/main");
    for (event, body) in [
        ("Push Hook", deleted.as_str()),
        ("Push Hook", tag.as_str()),
        ("Tag Push Hook", include_str!("../data/tag_push.json")),
    ] {
        assert_eq!(setup.send(webhook(event, SECRET), body.to_owned()).await.0, StatusCode::OK);
    }
    assert!(setup.gateway.messages("gitlab-event").is_empty());
    setup.through(&PUSH.replace("refs/heads/main", "refs/heads/evil/main")).await;
    let event: PushEvent = setup.gateway.messages("gitlab-push")[0].read();
    assert_eq!(event.branch, "evil/main");
}

#[tokio::test]
async fn other_events_are_taken_and_not_acted_on() {
    let setup = setup().await;
    let (status, text) = setup.send(webhook("Issue Hook", SECRET), r#"{"object_kind":"issue"}"#).await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, "issue is not handled\n"));
    let foreign = PUSH.replace("acme/team/hello", "bob/hello");
    let (status, text) = setup.send(webhook("System Hook", SECRET), foreign).await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, "'bob' is not on the tenant list: nothing to do\n"));
    assert!(setup.gateway.messages("gitlab-event").is_empty() && setup.audits().is_empty());
    let (status, text) = setup.send(webhook("Push Hook", SECRET), PUSH.replace("da1560886d", "xyz")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(text.starts_with("the webhook is not understood: after: "), "{text}");
}
