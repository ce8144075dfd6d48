//! `/system/alert`: more or fewer replicas on the word of a Prometheus Alertmanager. The gateway scales by itself and
//! needs no such alerts; this is for those who have rules of their own.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use futures_util::{StreamExt, stream};
use http::StatusCode;
use sdk::gateway::Object;
use serde::Deserialize;
use utoipa::ToSchema;

use super::body::JsonBody;
use super::function_id;
use crate::app::App;
use crate::functions::FunctionId;
use crate::problem::Problem;
use crate::rollout;
use crate::scaling::Policy;

/// By how many hundredths of the most replicas one alert adds.
const FACTOR: &str = "com.openfaas.scale.factor";
const DEFAULT_FACTOR: u32 = 20;
/// Functions scaled side by side.
const PARALLEL: usize = 4;

/// What an Alertmanager posts to a webhook; of its members only these matter here.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = PrometheusAlert)]
pub(crate) struct Notice {
    /// The state of the group as a whole.
    #[schema(examples("firing"))]
    status: String,
    /// The receiver's name in the Alertmanager's configuration.
    #[schema(examples("scale-up"))]
    receiver: String,
    #[schema(value_type = Vec<Alert>)]
    alerts: Vec<Object<Alert>>,
}

/// One alert of a group.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = PrometheusInnerAlert)]
pub(crate) struct Alert {
    /// `firing` adds replicas; `resolved` goes back to the fewest. Others do nothing.
    #[schema(examples("resolved"))]
    status: String,
    #[schema(value_type = AlertLabels)]
    labels: Object<AlertLabels>,
}

/// Labels of an alert.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = PrometheusInnerAlertLabel)]
pub(crate) struct AlertLabels {
    /// The rule's name.
    #[serde(default)]
    #[schema(examples("APIHighInvocationRate"))]
    alertname: String,
    /// The function's name, or `name.namespace`. An alert without it is about something else and passed over.
    #[serde(default)]
    #[schema(examples("nodeinfo"))]
    function_name: String,
}

/// Scale functions on alerts.
///
/// A webhook for a Prometheus Alertmanager with rules of its own; the gateway scales without it, too. A firing alert
/// adds `com.openfaas.scale.factor` (20) hundredths of `com.openfaas.scale.max` (20) replicas, up to that; a resolved
/// one goes back to `com.openfaas.scale.min` (1). Functions that are not deployed, or that the gateway scales to a
/// target, are passed over.
#[utoipa::path(
    post,
    path = "/alert",
    operation_id = "ScaleAlert",
    tag = "internal",
    request_body = Notice,
    responses(
        (status = 200, description = "All alerts were acted on."),
        (status = 400, description = "This is no notice of an Alertmanager."),
        (status = 422, description = "A new replica does not become ready."),
        (status = 503, description = "The container engine does not answer."),
    )
)]
pub(crate) async fn receive(
    State(app): State<Arc<App>>,
    JsonBody(notice): JsonBody<Notice>,
) -> Result<StatusCode, Problem> {
    tracing::info!(receiver = notice.receiver, status = notice.status, "An alert came in.");
    let mut outcomes = stream::iter(notice.alerts).map(|Object(alert)| act(&app, alert)).buffer_unordered(PARALLEL);
    // Each gets its turn, whatever became of the others; an Alertmanager repeats what failed.
    let mut first = None;
    while let Some(outcome) = outcomes.next().await {
        first = first.or(outcome.err());
    }
    first.map_or(Ok(StatusCode::OK), Err)
}

async fn act(app: &Arc<App>, alert: Alert) -> Result<(), Problem> {
    let Object(labels) = alert.labels;
    let Some((id, wanted)) = wanted(app, &labels.function_name, &alert.status) else {
        tracing::info!(alert = labels.alertname, function = labels.function_name, "An alert changes nothing.");
        return Ok(());
    };
    tracing::info!(alert = labels.alertname, function = %id, replicas = wanted, "A function is scaled by an alert.");
    match rollout::scale(app, id, u64::from(wanted)).await {
        // Removed in between.
        Err(Problem::Missing(_)) => Ok(()),
        other => other,
    }
}

fn wanted(app: &App, name: &str, status: &str) -> Option<(FunctionId, u32)> {
    let id = function_id(app, name, &[]).ok()?;
    let function = app.functions.get(&id)?;
    let containers = function.containers()?;
    let policy = &containers.settings.scaling;
    let now = u32::try_from(containers.replicas.len()).ok()?;
    let wanted = match status {
        // Two that steer would only fight.
        _ if policy.target.is_some() => return None,
        "firing" => more(now, policy, factor(&containers.spec.labels)),
        // One at zero stays there: nobody calls it.
        "resolved" if now > policy.min => policy.min,
        _ => return None,
    };
    (wanted != now).then_some((id, wanted))
}

fn factor(labels: &BTreeMap<String, String>) -> u32 {
    labels.get(FACTOR).and_then(|text| text.parse().ok()).unwrap_or(DEFAULT_FACTOR).min(100)
}

fn more(now: u32, policy: &Policy, factor: u32) -> u32 {
    (now + (policy.max * factor).div_ceil(100)).clamp(policy.min, policy.max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_adds_a_share_of_the_most_replicas() {
        let policy = |min, max| Policy { min, max, zero_after: None, target: None };
        let after = |now| more(now, &policy(1, 10), 25);
        assert_eq!((after(1), after(4), after(8), after(10)), (4, 7, 10, 10));
        assert_eq!(more(0, &policy(2, 10), 0), 2);
        assert_eq!(more(1, &policy(1, 1), 100), 1);
        let factor_of = |text: &str| factor(&BTreeMap::from([(FACTOR.to_owned(), text.to_owned())]));
        assert_eq!((factor_of("50"), factor_of("5000"), factor_of("much")), (50, 100, DEFAULT_FACTOR));
    }

    #[test]
    fn what_an_alertmanager_sends_is_understood() {
        let notice = r#"{"version":"4","groupKey":"{}","receiver":"scale-up","status":"firing","externalURL":"http://a","alerts":[
            {"status":"firing","labels":{"alertname":"APIHighInvocationRate","function_name":"f.ns","severity":"major"},
             "annotations":{"summary":"s"},"startsAt":"2026-01-01T00:00:00Z","endsAt":"0001-01-01T00:00:00Z"}]}"#;
        let notice: Notice = serde_json::from_str(notice).unwrap();
        assert_eq!(notice.alerts[0].0.labels.0.function_name, "f.ns");
        assert!(
            serde_json::from_str::<Notice>(r#"{"receiver":"r","status":"firing","alerts":[["firing",{}]]}"#).is_err()
        );
    }
}
