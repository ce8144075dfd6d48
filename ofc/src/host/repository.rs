//! One repository at its host: what is asked about it, and what is asked for.

use anyhow::Context;
use github_app::{App, Call, Client, Permission, Scope};
use http::Method;
use sdk::id::{CommitSha, RepoPath};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::commit::{Annotated, Check, CheckRun, Commit, CommitStatus, Deployment, DeploymentStatus, Outcome, Remark};
use crate::report::Trouble;

/// So many pages of a list are read at most.
const MAX_PAGES: u32 = 20;
/// So many of a commit's deployments are shown.
const MAX_DEPLOYMENTS: &str = "5";
/// GitHub gives no larger pages.
const PAGE: &str = "100";

/// A repository, and the credentials for it.
#[derive(Debug)]
pub(crate) struct Repository {
    client: Client,
    installation: u64,
    scope: Scope,
    path: RepoPath,
}

/// A commit that somebody wants to be deployed.
#[derive(Debug, Clone)]
pub(crate) struct Wish<'a> {
    pub(crate) sha: &'a CommitSha,
    /// Build also what has not changed.
    pub(crate) rebuild: bool,
    pub(crate) description: &'a str,
}

#[derive(serde::Deserialize)]
struct Installed {
    id: u64,
}

#[derive(serde::Deserialize)]
struct About {
    default_branch: String,
}

#[derive(serde::Deserialize)]
struct Owned {
    owner: Installed,
}

#[derive(serde::Deserialize)]
struct Named {
    sha: CommitSha,
    commit: Message,
}

#[derive(serde::Deserialize)]
struct Message {
    message: String,
}

#[derive(serde::Deserialize)]
struct Runs {
    check_runs: Vec<CheckRun>,
}

#[derive(serde::Deserialize)]
struct Combined {
    statuses: Vec<CommitStatus>,
}

impl Repository {
    /// One whose owner's token is at hand.
    pub(super) fn of_token(client: Client, path: &RepoPath) -> Self {
        Self { client, installation: 0, scope: Scope::new([], 0, path.repo.as_str()), path: path.clone() }
    }

    /// One that an App is installed for.
    pub(super) async fn of_app(app: App, path: &RepoPath) -> anyhow::Result<Self> {
        let segments = ["repos", path.owner.as_str(), path.repo.as_str(), "installation"];
        let call = Call::new("the App's installation", Method::GET, segments);
        let answer = app.api().send(&call, &app.jwt()?, 0).await;
        let answer = answer.map_err(|cause| match cause.is_not_found() {
            true => anyhow::Error::from(
                Trouble::new(format!("the App is not installed for {path}"))
                    .hint("install it for the repository at GitHub, and look at its name")
                    .because(cause),
            ),
            false => anyhow::Error::from(cause),
        })?;
        let Installed { id } = answer.json()?;
        let permissions = [Permission::Checks, Permission::Contents, Permission::Deployments, Permission::Statuses];
        let scope = Scope::new(permissions, 0, path.repo.as_str());
        Ok(Self { client: Client::of_app(app), installation: id, scope, path: path.clone() })
    }

    /// The commit of that name, or the newest of the default branch.
    ///
    /// # Errors
    /// When there is none, or the host cannot be asked.
    pub(crate) async fn commit(&self, name: Option<&str>) -> anyhow::Result<(CommitSha, String)> {
        let name = match name {
            Some(name) => name.to_owned(),
            None => {
                self.get::<About>("the repository", &[], &[]).await.map_err(|error| self.explain(error))?.default_branch
            }
        };
        let named: Named = self.get("the commit", &["commits", &name], &[]).await.map_err(|cause| {
            Trouble::new(format!("there is no commit {name} in {}", self.path))
                .hint("name a branch, a tag or a commit that was pushed")
                .because(cause)
        })?;
        let subject = named.commit.message.lines().next().unwrap_or_default().to_owned();
        Ok((named.sha, subject))
    }

    /// The number of its owner at the host.
    ///
    /// # Errors
    /// When there is no such repository, or the host cannot be asked.
    pub(super) async fn owner_number(&self) -> anyhow::Result<u64> {
        let owned: Owned = self.get("the repository", &[], &[]).await.map_err(|error| self.explain(error))?;
        Ok(owned.owner.id)
    }

    /// Everything that the host was told about a commit.
    ///
    /// # Errors
    /// When the host cannot be asked.
    pub(crate) async fn told(&self, sha: &CommitSha, subject: String) -> anyhow::Result<Commit> {
        let mut checks = Vec::new();
        for run in self.check_runs(sha).await? {
            let remarks = if run.has_remarks() { self.remarks(run.id).await? } else { Vec::new() };
            checks.push(Check::of_run(run, remarks));
        }
        let combined: Combined =
            self.get("the commit's statuses", &["commits", sha.as_str(), "status"], &[("per_page", PAGE)]).await?;
        checks.extend(combined.statuses.into_iter().map(Check::of_status));
        let deployments = self.deployments(sha).await?;
        Ok(Commit::new(&self.path, sha.clone(), subject, checks, deployments))
    }

    /// Asks for a commit to be deployed. Gives the number of the deployment.
    ///
    /// # Errors
    /// When the host refuses.
    pub(crate) async fn deploy(&self, wish: &Wish<'_>) -> anyhow::Result<u64> {
        // Without contexts, and nothing merged: it is this commit, whatever was said about it before.
        let body = json!({
            "ref": wish.sha,
            "task": "deploy",
            "auto_merge": false,
            "required_contexts": [],
            "payload": { "rebuild": wish.rebuild },
            "description": wish.description,
        });
        let call = self.call("a new deployment", Method::POST, &["deployments"]).once().json(&body)?;
        let made: Installed = self.client.send(&call, self.installation, &self.scope).await?.json()?;
        Ok(made.id)
    }

    /// Changes something of the repository, with an empty answer or one that does not matter.
    ///
    /// # Errors
    /// When the host refuses.
    pub(crate) async fn change(&self, what: &'static str, method: Method, body: Option<&Value>) -> anyhow::Result<()> {
        let mut call = self.call(what, method, &[]);
        if let Some(body) = body {
            call = call.json(body)?;
        }
        self.client
            .send(&call, self.installation, &self.scope)
            .await
            .map(drop)
            .map_err(|error| self.explain(error.into()))
    }

    async fn check_runs(&self, sha: &CommitSha) -> anyhow::Result<Vec<CheckRun>> {
        let mut all = Vec::new();
        for page in 1..=MAX_PAGES {
            let call = self
                .call("the commit's check runs", Method::GET, &["commits", sha.as_str(), "check-runs"])
                .query("per_page", PAGE)
                .query("page", page.to_string());
            let answer = self.client.send(&call, self.installation, &self.scope).await?;
            all.extend(answer.json::<Runs>()?.check_runs);
            if answer.next_page("page").is_none() {
                break;
            }
        }
        Ok(all)
    }

    async fn remarks(&self, run: u64) -> anyhow::Result<Vec<Remark>> {
        let path = ["check-runs", &run.to_string(), "annotations"];
        let all: Vec<Annotated> = self.get("a check run's annotations", &path, &[("per_page", PAGE)]).await?;
        Ok(all.into_iter().map(Remark::from).collect())
    }

    async fn deployments(&self, sha: &CommitSha) -> anyhow::Result<Vec<Deployment>> {
        let query = [("sha", sha.as_str()), ("per_page", MAX_DEPLOYMENTS)];
        let mut all: Vec<Deployment> = self.get("the commit's deployments", &["deployments"], &query).await?;
        for deployment in &mut all {
            let path = ["deployments", &deployment.id.to_string(), "statuses"];
            let statuses: Vec<DeploymentStatus> =
                self.get("a deployment's statuses", &path, &[("per_page", "1")]).await?;
            deployment.settle(statuses.into_iter().next());
        }
        Ok(all)
    }

    async fn get<T: DeserializeOwned>(
        &self,
        what: &'static str,
        path: &[&str],
        query: &[(&'static str, &str)],
    ) -> anyhow::Result<T> {
        let mut call = self.call(what, Method::GET, path);
        for (name, value) in query {
            call = call.query(name, *value);
        }
        let answer = self.client.send(&call, self.installation, &self.scope).await?;
        answer.json().with_context(|| format!("{what} of {} could not be read", self.path))
    }

    fn call<'a>(&'a self, what: &'static str, method: Method, path: &[&'a str]) -> Call<'a> {
        let start = ["repos", self.path.owner.as_str(), self.path.repo.as_str()];
        Call::new(what, method, start.into_iter().chain(path.iter().copied()))
    }

    /// What a refusal means.
    fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        let is_missing =
            error.downcast_ref::<github_app::GithubError>().is_some_and(github_app::GithubError::is_not_found);
        if !is_missing {
            return error;
        }
        Trouble::new(format!("there is no repository {}", self.path))
            .hint("a repository comes into being with its first push: git push ofc main")
            .into()
    }
}

impl Commit {
    /// The outcome of the whole push, if it has come to its end since then.
    pub(crate) fn ended(&self, before: &Self) -> Option<Outcome> {
        let stack = self.stack()?;
        let is_new = before.stack().is_none_or(|old| (old.id, old.ended_at) != (stack.id, stack.ended_at));
        (is_new && stack.outcome.is_final()).then_some(self.outcome)
    }
}
