//! Webhooks that did not arrive are sent again: by `ofc redeliver`, and once at each start of the platform.

use chrono::{TimeDelta, Utc};
use github_app::{App, Delivery, GithubError};

use crate::host::app_of;
use crate::instance::Record;
use crate::secrets::Secrets;

/// What was refused this long before a start may be taken after it.
const BEFORE_START: TimeDelta = TimeDelta::hours(1);

/// One that was asked for again, and whether the host took that.
pub(crate) type Asked = (Delivery, Result<(), GithubError>);

/// Asks for every webhook since then of which no attempt arrived.
///
/// # Errors
/// When the host does not list them.
pub(crate) async fn since(app: &App, age: TimeDelta) -> Result<Vec<Asked>, GithubError> {
    let mut all = Vec::new();
    for delivery in app.missed_since(Utc::now() - age).await? {
        let asked = app.redeliver(delivery.id).await;
        all.push((delivery, asked));
    }
    Ok(all)
}

/// Does so in the background for a platform that has just started: whatever kept a webhook from being taken may be
/// mended now. What was never answered the git host sends again by itself.
///
/// # Errors
/// When the App's key cannot be used.
pub(crate) fn at_start(secrets: &Secrets, record: &Record) -> anyhow::Result<()> {
    let app = app_of(secrets, record)?;
    tokio::spawn(async move {
        match since(&app, BEFORE_START).await {
            Ok(all) if all.is_empty() => {}
            Ok(all) => {
                tracing::info!(webhooks = all.len(), "Webhooks that were refused before the start are sent again")
            }
            Err(error) => {
                let cause = sdk::failure::chain(&error);
                tracing::warn!(cause, "Webhooks that did not arrive before the start could not be asked for");
            }
        }
    });
    Ok(())
}
