//! `deployment`, action `created`: somebody wants just this commit to be live.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use sdk::event::PushEvent;
use sdk::webhook::Malformed;
use sdk::webhook::payload::{branch_name, field, parse, shown};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{App, Installation, MAX_SHOWN, Repository, Source};
use crate::order::Order;

/// The task of deployments by which this platform reports its own work.
const OWN_TASK: &str = "deploy:openfaas-cloud";
/// The kind of account that apps act under.
const BOT: &str = "Bot";

#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(borrow)]
    deployment: Deployment<'a>,
    #[serde(borrow)]
    repository: Repository<'a>,
    installation: Option<Installation>,
}

#[derive(Deserialize)]
struct Deployment<'a> {
    #[serde(borrow)]
    sha: Cow<'a, str>,
    #[serde(borrow)]
    task: Cow<'a, str>,
    #[serde(borrow)]
    environment: Cow<'a, str>,
    production_environment: Option<bool>,
    payload: Option<Details>,
    #[serde(borrow)]
    creator: Creator<'a>,
    created_at: DateTime<Utc>,
    performed_via_github_app: Option<App>,
}

#[derive(Deserialize)]
struct Creator<'a> {
    #[serde(borrow)]
    login: Cow<'a, str>,
    #[serde(rename = "type", borrow)]
    kind: Option<Cow<'a, str>>,
}

/// What the creator adds: an object, or one that is written as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Details {
    Wishes(Wishes),
    Text(String),
    Other(IgnoredAny),
}

#[derive(Default, Deserialize)]
struct Wishes {
    #[serde(default)]
    rebuild: bool,
}

pub(super) fn read(body: &[u8], source: &Source) -> Result<Order, Malformed> {
    let Payload { deployment, repository, installation } = parse(body)?;
    if let Some(reason) = deployment.not_ours() {
        return Ok(Order::Ignore(format!("{reason}: not acted on")));
    }
    let branch = branch_name("repository.default_branch", &repository.default_branch)?;
    let event = repository.push(source, branch, field("deployment.sha", &deployment.sha)?, installation)?;
    Ok(Order::Deploy(Box::new(PushEvent {
        pusher: shown(&deployment.creator.login, super::MAX_LOGIN),
        pinned: true,
        asked_at: u64::try_from(deployment.created_at.timestamp()).ok(),
        rebuild: deployment.payload.is_some_and(Details::rebuild),
        ..event
    })))
}

impl Deployment<'_> {
    /// Why this is not a wish to have the commit live here. Apps make deployments to report their own work (this
    /// platform's does, GitHub Actions and Pages do), people to have one made.
    fn not_ours(&self) -> Option<String> {
        let is_bot = self.creator.kind.as_deref() == Some(BOT);
        if self.task == OWN_TASK {
            Some("the deployment is this platform's own report".to_owned())
        } else if self.performed_via_github_app.is_some() || is_bot {
            Some(format!("the deployment was made by an app ({})", shown(&self.creator.login, MAX_SHOWN)))
        } else if self.task.contains(':') {
            Some(format!("the deployment's task is {}", shown(&self.task, MAX_SHOWN)))
        } else if self.production_environment == Some(false) {
            Some(format!("{} is no production environment", shown(&self.environment, MAX_SHOWN)))
        } else {
            None
        }
    }
}

impl Details {
    fn rebuild(self) -> bool {
        match self {
            Self::Wishes(wishes) => wishes.rebuild,
            Self::Text(text) => serde_json::from_str(&text).unwrap_or(Wishes::default()).rebuild,
            Self::Other(_) => false,
        }
    }
}
