//! Whether what the configuration names is there and lets us in: one finding for each, and what to do where it does not.
//! Nothing is changed by it, but for one small object in the bucket that is written and deleted.

mod bucket;
mod github;
mod gitlab;
mod names;
pub(crate) mod registry;

use std::time::Duration;

use crate::config_file::{ConfigFile, Source, Tenants};
use crate::doctor::Finding;
use crate::platform::fetch_tenants;
use crate::secrets::Secrets;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longer answers are not understood, in bytes.
const MAX_ANSWER: usize = 1024 * 1024;

/// Looks at everything, side by side.
pub(crate) async fn examine(config: &ConfigFile) -> Vec<Finding> {
    let secrets = Secrets::existing(config.secrets());
    let (names, host, registry, bucket, tenants) = tokio::join!(
        names::examine(config),
        host(config, &secrets),
        registry(config),
        bucket::examine(config, &secrets),
        tenants(config),
    );
    names.into_iter().chain(host).chain(registry).chain(bucket).chain(tenants).collect()
}

async fn host(config: &ConfigFile, secrets: &Secrets) -> Option<Finding> {
    match &config.source {
        Source::Local => None,
        Source::Github(github) => Some(github::examine(config, github, secrets).await),
        Source::Gitlab(gitlab) => Some(gitlab::examine(gitlab, secrets).await),
    }
}

async fn registry(config: &ConfigFile) -> Option<Finding> {
    const WHAT: &str = "registry";
    let registry = config.registry.as_ref()?;
    let file = registry.credentials.as_ref().map(|file| config.at(file));
    Some(match registry::login(&registry.prefix, file.as_deref()).await {
        Ok(detail) => Finding::ok(WHAT, detail),
        Err(error) => Finding::fail(WHAT, sdk::failure::chain(&error), error.advice(registry.host())),
    })
}

async fn tenants(config: &ConfigFile) -> Option<Finding> {
    const WHAT: &str = "tenants";
    match &config.tenants {
        Tenants::OfTheHost => None,
        Tenants::List(all) => Some(Finding::ok(WHAT, format!("{} on the list", all.len()))),
        Tenants::At(url) => Some(match fetch_tenants(url).await {
            Ok(text) => {
                let count = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')).count();
                Finding::ok(WHAT, format!("{count} on the list at {url}"))
            }
            Err(error) => Finding::fail(
                WHAT,
                sdk::failure::chain(&error),
                "serve one login a line there, as plain text with status 200",
            ),
        }),
    }
}
