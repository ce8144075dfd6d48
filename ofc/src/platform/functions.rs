//! The platform's functions, mounted in the gateway under the names of their folders.

use anyhow::Context;
use axum::Router;
use of_gateway::PlatformFunction;
use sdk::{ConfigError, Env};

use super::variables::Variables;
use crate::secrets::{BUILDER, GATEWAY_PASSWORD, GATEWAY_USER, GITHUB_APP_KEY, PAYLOAD, WEBHOOK};

type Make = fn(&Env) -> Result<Router, ConfigError>;
/// The name that a function uses for a secret, and the file that holds it.
type Given = (&'static str, &'static str);

const SIGNED: Given = ("payload-secret", PAYLOAD);
const USER: Given = ("basic-auth-user", GATEWAY_USER);
const APP_KEY: Given = ("private-key", GITHUB_APP_KEY);
const PASSWORD: Given = ("basic-auth-password", GATEWAY_PASSWORD);

/// Every function, with the secrets that it may have.
const ALL: &[(&str, Make, &[Given])] = &[
    ("github-event", github_event::router, &[SIGNED, ("github-webhook-secret", WEBHOOK)]),
    ("github-push", github_push::router, &[SIGNED]),
    ("github-status", github_status::router, &[SIGNED, APP_KEY]),
    ("git-tar", git_tar::router, &[SIGNED, USER, PASSWORD, APP_KEY]),
    ("buildshiprun", buildshiprun::router, &[SIGNED, USER, PASSWORD, ("builder-payload-secret", BUILDER)]),
    ("garbage-collect", garbage_collect::router, &[SIGNED, USER, PASSWORD]),
    ("pipeline-log", pipeline_log::router, &[SIGNED]),
    ("list-functions", list_functions::router, &[SIGNED, USER, PASSWORD]),
    ("audit-event", audit_event::router, &[SIGNED]),
    ("echo", echo::router, &[]),
];

pub(super) fn all(variables: &Variables) -> anyhow::Result<Vec<PlatformFunction>> {
    let mount = |(name, make, secrets): &(&str, Make, &[Given])| {
        let env = variables.env(secrets)?;
        let router = make(&env).with_context(|| format!("the function {name} is not configured rightly"))?;
        Ok(PlatformFunction::new(*name, router))
    };
    ALL.iter().map(mount).collect()
}
