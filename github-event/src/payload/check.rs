//! `check_run` and `check_suite`, action `rerequested`: somebody pressed "Re-run".

use std::borrow::Cow;

use sdk::event::PushEvent;
use sdk::webhook::Malformed;
use sdk::webhook::payload::{branch_name, field, parse};
use serde::Deserialize;

use super::{Account, App, Installation, Repository, Source};
use crate::order::Order;

#[derive(Deserialize)]
struct RunPayload<'a> {
    #[serde(borrow)]
    check_run: Run<'a>,
    #[serde(borrow)]
    repository: Repository<'a>,
    #[serde(borrow)]
    sender: Account<'a>,
    installation: Option<Installation>,
}

#[derive(Deserialize)]
struct Run<'a> {
    #[serde(borrow)]
    head_sha: Cow<'a, str>,
    #[serde(borrow)]
    conclusion: Option<Cow<'a, str>>,
    app: Option<App>,
    #[serde(borrow)]
    check_suite: Option<Branch<'a>>,
}

#[derive(Deserialize)]
struct Branch<'a> {
    #[serde(borrow)]
    head_branch: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct SuitePayload<'a> {
    #[serde(borrow)]
    check_suite: Suite<'a>,
    #[serde(borrow)]
    repository: Repository<'a>,
    #[serde(borrow)]
    sender: Account<'a>,
    installation: Option<Installation>,
}

#[derive(Deserialize)]
struct Suite<'a> {
    #[serde(borrow)]
    head_sha: Cow<'a, str>,
    #[serde(borrow)]
    conclusion: Option<Cow<'a, str>>,
    app: Option<App>,
    #[serde(borrow)]
    head_branch: Option<Cow<'a, str>>,
}

/// A check that is to run again, wherever it was found.
struct Again<'a> {
    /// `check_run` or `check_suite`.
    field: &'static str,
    sha: &'a str,
    conclusion: Option<&'a str>,
    app: Option<App>,
    branch: Option<&'a str>,
    repository: &'a Repository<'a>,
    sender: &'a Account<'a>,
    installation: Option<Installation>,
}

pub(super) fn run(body: &[u8], source: &Source) -> Result<Order, Malformed> {
    let payload: RunPayload<'_> = parse(body)?;
    let run = payload.check_run;
    let branch = run.check_suite.and_then(|suite| suite.head_branch);
    let again = Again {
        field: "check_run",
        sha: &run.head_sha,
        conclusion: run.conclusion.as_deref(),
        app: run.app,
        branch: branch.as_deref(),
        repository: &payload.repository,
        sender: &payload.sender,
        installation: payload.installation,
    };
    again.order(source)
}

pub(super) fn suite(body: &[u8], source: &Source) -> Result<Order, Malformed> {
    let payload: SuitePayload<'_> = parse(body)?;
    let suite = payload.check_suite;
    let again = Again {
        field: "check_suite",
        sha: &suite.head_sha,
        conclusion: suite.conclusion.as_deref(),
        app: suite.app,
        branch: suite.head_branch.as_deref(),
        repository: &payload.repository,
        sender: &payload.sender,
        installation: payload.installation,
    };
    again.order(source)
}

impl Again<'_> {
    fn order(self, source: &Source) -> Result<Order, Malformed> {
        if source.app_id.is_some() && self.app.map(|app| app.id) != source.app_id {
            return Ok(Order::Ignore("the check is another app's: not acted on".to_owned()));
        }
        let Some(branch) = self.branch else {
            return Ok(Order::Ignore("the check's commit is of no branch of the repository: not acted on".to_owned()));
        };
        let name = |name: &str| format!("{}.{name}", self.field);
        let branch = branch_name(&name("head_branch"), branch)?;
        let event = self.repository.push(source, branch, field(&name("head_sha"), self.sha)?, self.installation)?;
        // Nothing has changed since a run that succeeded, so only building all anew makes another of it.
        let rebuild = self.conclusion == Some("success");
        Ok(Order::Deploy(Box::new(PushEvent { pusher: self.sender.login(), rebuild, ..event })))
    }
}
