//! What the operator may set.

use github_app::fake_github::{FIXED_TOKEN, FakeGithub};
use http::StatusCode;
use sdk::fake_gateway::{FakeGateway, PAYLOAD_SECRET};
use sdk::status::State;

use super::{Lab, REPORTED, send, status};

#[tokio::test]
async fn reporting_can_be_turned_off() {
    let lab = Lab::start(&[("report_status", "false")]).await;
    assert_eq!(lab.send(&status("greet", State::Queued, "queued")).await, (StatusCode::OK, "logged\n".to_owned()));
    assert!(lab.github.calls().is_empty());
}

#[tokio::test]
async fn without_credentials_a_status_is_logged_only() {
    let env = sdk::Env::from_map([("a", "b")], [("payload-secret", PAYLOAD_SECRET)]);
    let router = github_status::router(&env).unwrap();
    let answer = send(&FakeGateway::start().await, &router, "call-1", &status("greet", State::Queued, "queued")).await;
    assert_eq!(answer, (StatusCode::OK, "logged\n".to_owned()));
}

#[tokio::test]
async fn a_fixed_token_will_do_where_the_host_takes_it() {
    let github = FakeGithub::start().await;
    let vars = [("github_api_url", github.url())];
    let secrets = [("payload-secret", PAYLOAD_SECRET), ("github-token", FIXED_TOKEN)];
    let router = github_status::router(&sdk::Env::from_map(vars, secrets)).unwrap();
    let gateway = FakeGateway::start().await;
    for state in [State::Queued, State::Success] {
        let (code, text) = send(&gateway, &router, "call-1", &status("stack-deploy", state, "x")).await;
        assert_eq!((code, text.as_str()), REPORTED);
    }
    assert_eq!((github.runs().len(), github.deployments().len()), (1, 1));
    assert_eq!(github.faults(), [""; 0]);
}

#[test]
fn a_wrong_setting_stops_the_start() {
    let problem = |vars: &[(&str, &str)], secrets: &[(&str, &str)]| {
        let secrets = secrets.iter().copied().chain([("payload-secret", "x")]);
        let error = github_status::router(&sdk::Env::from_map(vars.iter().copied(), secrets)).unwrap_err();
        error.problems()[0].name.clone()
    };
    let long = "e".repeat(256);
    let wrong: [(&[(&str, &str)], &str); 8] = [
        (&[("github_api_url", "https://api.github.com")], "github-token"),
        (&[("github_app_id", "7")], "private-key"),
        (&[("environment", &long)], "environment"),
        (&[("use_checks", "perhaps")], "use_checks"),
        (&[("report_status", "perhaps")], "report_status"),
        (&[("use_deployments", "perhaps")], "use_deployments"),
        (&[("production_environment", "perhaps")], "production_environment"),
        (&[("github_url", "mailto:a@b")], "github_url"),
    ];
    for (vars, name) in wrong {
        assert_eq!(problem(vars, &[]), name);
    }
    assert_eq!(problem(&[("github_api_url", "ftp://x")], &[("github-token", "t")]), "github_api_url");
}
