//! Can people sign in at the platform that runs?

use std::path::Path;
use std::time::Duration;

use super::Finding;
use crate::data_dir::DataDir;
use crate::instance::{self, Record, State};

/// How long the answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks of-auth through the router, as a browser does. Nothing is said while no platform runs.
pub(super) async fn examine(data: &Path) -> Option<Finding> {
    let State::Running(record) = DataDir::at(data).and_then(|data| instance::state(&data)).ok()? else { return None };
    Some(ask(&record).await)
}

async fn ask(record: &Record) -> Finding {
    let url = format!("http://{}{}", record.router, session::protocol::JWKS_PATH);
    let request = sdk::http::client().get(url).header("host", record.host("auth.system")).timeout(PATIENCE);
    let keys = async { request.send().await?.error_for_status()?.json::<session::Jwks>().await };
    match keys.await {
        Ok(keys) if !keys.keys.is_empty() => Finding::ok("sign-in", format!("people sign in at {}", record.auth_url())),
        Ok(_) => {
            Finding::fail("sign-in", "there is no key to sign tokens with", "see the log, and restart the platform")
        }
        Err(cause) => Finding::fail(
            "sign-in",
            format!("{} does not answer: {}", record.auth_url(), cause.without_url()),
            "see the log, and restart the platform",
        ),
    }
}

#[cfg(test)]
mod tests {
    use axum::Json;
    use axum::routing::get;
    use tokio::net::TcpListener;

    use super::*;
    use crate::doctor::Verdict;

    #[tokio::test]
    async fn only_an_answer_with_a_key_is_well() {
        let key = session::SigningKey::from_pem(&session::SigningKey::generate().unwrap()).unwrap();
        for (keys, verdict) in [(vec![key.public().clone()], Verdict::Ok), (vec![], Verdict::Fail)] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let record = Record { router: listener.local_addr().unwrap(), ..Record::sample() };
            let app = axum::Router::new()
                .route(session::protocol::JWKS_PATH, get(async move || Json(session::Jwks { keys })));
            tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
            assert_eq!(ask(&record).await.verdict, verdict);
        }
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let record = Record { router: silent.local_addr().unwrap(), ..Record::sample() };
        drop(silent);
        assert_eq!(ask(&record).await.verdict, Verdict::Fail);
    }

    #[tokio::test]
    async fn a_platform_that_does_not_run_is_no_finding() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(examine(&folder.path().join(".ofc")).await, None);
    }
}
