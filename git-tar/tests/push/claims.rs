//! What is deployed decides whose a login is, and whether a commit that was asked for comes too late.

use http::StatusCode;
use sdk::event::PushEvent;
use sdk::gateway::FunctionStatus;
use sdk::labels;
use sdk::status::State;

use crate::lab::Lab;

fn deployed(name: &str, changed: &[(&str, &str)]) -> FunctionStatus {
    let usual = [
        (labels::GIT_CLOUD, "1"),
        (labels::GIT_SCM, "git.localhost"),
        (labels::GIT_OWNER, "alice"),
        (labels::GIT_OWNER_ID, "7"),
        (labels::GIT_REPO, "app"),
    ];
    let labels = usual.iter().chain(changed).map(|(label, value)| ((*label).to_owned(), (*value).to_owned()));
    FunctionStatus { name: name.to_owned(), labels: labels.collect(), ..FunctionStatus::default() }
}

#[tokio::test]
async fn who_takes_over_a_login_gets_nothing_of_what_goes_on_under_it() {
    let mut lab = Lab::new().await;
    let event = lab.commit();
    let stranger = PushEvent { owner_id: event.owner_id + 1, ..event.clone() };
    let id = event.owner_id.to_string();
    lab.gateway.put_function(deployed("alice-other", &[(labels::GIT_OWNER_ID, &id)]));
    // No name of a function collides.
    let refused = lab.refused_event(&stranger).await;
    assert!(
        refused.starts_with("the login alice is held by someone else: functions of the account git.localhost/"),
        "{refused}"
    );
    assert!(lab.orders().is_empty());
    let elsewhere = PushEvent { host: "github.com".to_owned(), ..event.clone() };
    lab.set("git_hosts", format!("git.localhost={0},github.com={0}", lab.git.url));
    assert!(lab.refused_event(&elsewhere).await.contains("is held by someone else"), "the number is another host's");
    assert_eq!(lab.run(&event).await.0, StatusCode::OK, "the account itself");
}

#[tokio::test]
async fn an_account_with_a_new_login_goes_on_and_its_former_login_stays_its_own() {
    let mut lab = Lab::new().await;
    let event = lab.commit();
    let id = event.owner_id.to_string();
    lab.gateway.put_function(deployed("alicia-hello", &[(labels::GIT_OWNER_ID, &id), (labels::GIT_OWNER, "alicia")]));
    assert_eq!(lab.run(&event).await.0, StatusCode::OK, "alicia is called alice now");
}

#[tokio::test]
async fn a_wish_that_is_delivered_again_later_undoes_nothing_newer() {
    let mut lab = Lab::new().await;
    let old = lab.commit();
    let new = lab.commit();
    let wish = PushEvent { pinned: true, asked_at: Some(1000), ..old };
    let at = |time: &str, sha: &str| {
        let (owner, repo) = (new.owner_id.to_string(), new.repo_id.to_string());
        let changed = [
            (labels::GIT_OWNER_ID, owner.as_str()),
            (labels::GIT_REPO_ID, &repo),
            (labels::GIT_DEPLOY_TIME, time),
            (labels::GIT_SHA, sha),
        ];
        deployed("alice-hello", &changed)
    };
    lab.gateway.put_function(at("1301", new.sha.as_str()));
    let (status, answer) = lab.run(&wish).await;
    assert_eq!((status, answer), (StatusCode::OK, format!("superseded by {}", new.sha.short())));
    assert_eq!(lab.status("stack-deploy").unwrap().state, State::Neutral);
    assert!(lab.orders().is_empty());
    // Its own deployment does not stand in its way, nor one of before, nor one within what clocks may differ.
    for (time, sha) in [("9999", wish.sha.as_str()), ("999", new.sha.as_str()), ("1300", new.sha.as_str())] {
        lab.gateway.put_function(at(time, sha));
        let (_, answer) = lab.run(&wish).await;
        assert!(answer.starts_with("Deployed"), "{time}: {answer}");
    }
}
