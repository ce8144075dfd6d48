//! Deploys a version and waits until it is the one that serves.

use std::time::Duration;

use http::StatusCode;
use sdk::failure::Failure;
use sdk::gateway::{FunctionDeployment, FunctionStatus, Gateway, GatewayError};
use sdk::labels;
use tokio::time::Instant;

use crate::problem::Problem;

const FIRST_POLL: Duration = Duration::from_millis(50);
const SLOWEST_POLL: Duration = Duration::from_secs(2);
/// With this the gateway announces the lines that are shown apart from its sentence.
const LOG_FOLLOWS: &str = "; the end of its log";

/// Makes the deployment live. A gateway that answers only then needs one look; others are asked until `patience` ends.
pub(crate) async fn roll_out(
    gateway: &Gateway,
    wanted: &FunctionDeployment,
    patience: Duration,
) -> Result<(), Problem> {
    gateway.deploy(wanted).await.map_err(refused)?;
    let deadline = Instant::now() + patience;
    let mut pause = FIRST_POLL;
    loop {
        // A gateway that does not answer now may do so the next time.
        let seen = gateway.get(&wanted.service).await;
        if let Ok(Some(function)) = &seen
            && is_live(function, wanted)
        {
            return Ok(());
        }
        if Instant::now() + pause > deadline {
            return Err(not_ready(seen, patience).into());
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(SLOWEST_POLL);
    }
}

fn is_live(function: &FunctionStatus, wanted: &FunctionDeployment) -> bool {
    let same = |label: &str| function.labels.get(label) == wanted.labels.get(label);
    let ours = [labels::BUILD_DIGEST, labels::DEPLOY_DIGEST, labels::GIT_DEPLOY_TIME].into_iter().all(same);
    ours && function.available_replicas > 0
}

fn not_ready(seen: Result<Option<FunctionStatus>, GatewayError>, patience: Duration) -> Failure {
    match seen {
        Err(error) => Failure::upstream("the gateway does not say whether the function is ready").because(error),
        Ok(_) => Failure::refused(format!("the function was not ready within {} s", patience.as_secs())),
    }
}

/// The gateway's own words are for the author: why the new version did not start, and its last lines.
fn refused(error: GatewayError) -> Problem {
    let GatewayError::Refused { status, text, .. } = &error else {
        return Failure::upstream("the gateway does not answer").because(error).into();
    };
    let (reason, log) = text.split_once('\n').unwrap_or((text, ""));
    let reason = reason.trim().trim_end_matches(':').trim_end_matches(LOG_FOLLOWS);
    let log = log.to_owned();
    let failure = match *status {
        StatusCode::CONFLICT => Failure::conflict(reason),
        // Credentials and overload are the platform's trouble, not the function's.
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Failure::upstream("the gateway does not accept this platform's credentials")
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Failure::upstream("the gateway is busy"),
        status if status.is_client_error() => Failure::refused(reason),
        _ => Failure::upstream("the gateway could not deploy the function"),
    };
    Problem::with_log(failure.because(error), log)
}
