//! The platform's functions, mounted in the gateway under the names of their folders.

use anyhow::Context;
use axum::Router;
use of_gateway::PlatformFunction;
use sdk::{ConfigError, Env};

use super::site::Host;
use super::variables::Variables;
use crate::secrets::{
    BUILDER, FOREIGN_APP_KEY, GATEWAY_PASSWORD, GATEWAY_USER, GITHUB_APP_KEY, GITLAB_TOKEN, GITLAB_WEBHOOK, PAYLOAD,
    WEBHOOK,
};

type Make = fn(&Env) -> Result<Router, ConfigError>;
/// The name that a function uses for a secret, and the file that holds it.
type Given = (&'static str, &'static str);

const SIGNED: Given = ("payload-secret", PAYLOAD);
const USER: Given = ("basic-auth-user", GATEWAY_USER);
const APP_KEY: Given = ("private-key", GITHUB_APP_KEY);
const FOREIGN_KEY: Given = ("private-key", FOREIGN_APP_KEY);
const TOKEN: Given = ("gitlab-api-token", GITLAB_TOKEN);
const PASSWORD: Given = ("basic-auth-password", GATEWAY_PASSWORD);
const BUCKET_USER: Given = ("s3-access-key", "s3-access-key");
const BUCKET_KEY: Given = ("s3-secret-key", "s3-secret-key");

type Function = (&'static str, Make, &'static [Given]);

/// The functions that know the platform's own git host, with the secrets that each may have.
const OWN: &[Function] = &[
    ("github-event", github_event::router, &[SIGNED, ("github-webhook-secret", WEBHOOK)]),
    ("github-push", github_push::router, &[SIGNED]),
    ("github-status", github_status::router, &[SIGNED, APP_KEY]),
    ("git-tar", git_tar::router, &[SIGNED, USER, PASSWORD, APP_KEY]),
];

/// Those that know another GitHub.
const GITHUB: &[Function] = &[
    ("github-event", github_event::router, &[SIGNED, ("github-webhook-secret", WEBHOOK)]),
    ("github-push", github_push::router, &[SIGNED]),
    ("github-status", github_status::router, &[SIGNED, FOREIGN_KEY]),
    ("git-tar", git_tar::router, &[SIGNED, USER, PASSWORD, FOREIGN_KEY]),
];

/// Those that know a GitLab.
const GITLAB: &[Function] = &[
    ("gitlab-event", gitlab_event::router, &[SIGNED, TOKEN, ("gitlab-webhook-secret", GITLAB_WEBHOOK)]),
    ("gitlab-push", gitlab_push::router, &[SIGNED]),
    ("gitlab-status", gitlab_status::router, &[SIGNED, TOKEN]),
    ("git-tar", git_tar::router, &[SIGNED, USER, PASSWORD, TOKEN]),
];

/// All others.
const ALL: &[Function] = &[
    ("buildshiprun", buildshiprun::router, &[SIGNED, USER, PASSWORD, ("builder-payload-secret", BUILDER)]),
    ("garbage-collect", garbage_collect::router, &[SIGNED, USER, PASSWORD]),
    ("list-functions", list_functions::router, &[SIGNED, USER, PASSWORD]),
    ("system-metrics", system_metrics::router, &[SIGNED, USER, PASSWORD]),
    ("system-dashboard", system_dashboard::router, &[SIGNED, USER, PASSWORD]),
    ("echo", echo::router, &[]),
];

/// Those that keep logs and the audit trail, in a directory.
const LOGS: &[Function] = &[
    ("pipeline-log", pipeline_log::router, &[SIGNED]),
    ("function-logs", function_logs::router, &[SIGNED, USER, PASSWORD]),
    ("audit-event", audit_event::router, &[SIGNED]),
];

/// The same with a bucket.
const LOGS_IN_BUCKET: &[Function] = &[
    ("pipeline-log", pipeline_log::router, &[SIGNED, BUCKET_USER, BUCKET_KEY]),
    ("function-logs", function_logs::router, &[SIGNED, USER, PASSWORD, BUCKET_USER, BUCKET_KEY]),
    ("audit-event", audit_event::router, &[SIGNED, BUCKET_USER, BUCKET_KEY]),
];

pub(super) fn all(variables: &Variables) -> anyhow::Result<Vec<PlatformFunction>> {
    let mount = |(name, make, secrets): &Function| {
        let env = variables.env(secrets)?;
        let router = make(&env).with_context(|| format!("the function {name} is not configured rightly"))?;
        Ok(PlatformFunction::new(*name, router))
    };
    let site = variables.site();
    let host = match site.host() {
        Host::Own => OWN,
        Host::Github => GITHUB,
        Host::Gitlab => GITLAB,
    };
    let logs = if site.has_bucket() { LOGS_IN_BUCKET } else { LOGS };
    host.iter().chain(ALL).chain(logs).map(mount).collect()
}
