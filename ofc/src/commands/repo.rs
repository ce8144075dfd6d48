//! `ofc repo`.

use clap::{Args, Subcommand};
use github_app::{App, Call};
use http::Method;
use sdk::id::{Owner, RepoName, RepoPath};
use serde_json::{Value, json};

use crate::host::{AsSomebody, local_app, local_owner};
use crate::locate::Which;
use crate::report::Trouble;
use crate::terminal::{confirm, print};

const EXAMPLES: &str = "\
Examples:
  ofc repo rename alice/hello greetings    Its functions stay
  ofc repo rm alice/hello                  The repository and its functions go
  ofc repo uninstall alice/hello           Its functions go, the repository stays and deploys no more
  ofc repo uninstall alice                 The same for all repositories of alice's
  ofc repo install alice/hello             It deploys again, from the next push on";

/// Rename or remove a repository of the platform's git host, or take the platform away from it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Repo {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Give it another name
    Rename {
        /// Whose repository it is, and its name
        #[arg(value_name = "OWNER/REPOSITORY")]
        repository: String,
        /// Its new name
        name: String,
        #[command(flatten)]
        which: Which,
    },
    /// Remove it, with its history and its functions
    Rm {
        /// Whose repository it is, and its name
        #[arg(value_name = "OWNER/REPOSITORY")]
        repository: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
        #[command(flatten)]
        which: Which,
    },
    /// Let it deploy again
    Install {
        /// Whose repository it is, and its name
        #[arg(value_name = "OWNER/REPOSITORY")]
        repository: String,
        #[command(flatten)]
        which: Which,
    },
    /// Remove its functions and let it deploy no more
    Uninstall {
        /// Whose repository it is, and its name; or an owner, for all of theirs
        #[arg(value_name = "OWNER[/REPOSITORY]")]
        repository: String,
        #[command(flatten)]
        which: Which,
    },
}

impl Repo {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let said = match self.what {
            What::Rename { repository, name, which } => rename(&super::repository(&repository)?, &name, &which)?,
            What::Rm { repository, yes, which } => remove(&super::repository(&repository)?, yes, &which)?,
            What::Install { repository, which } => {
                let path = super::repository(&repository)?;
                super::block_on(of_one(&path, Method::PUT, &which))?;
                format!("{path} deploys again, from the next push on, or with: ofc redeploy {path}\n")
            }
            What::Uninstall { repository, which } if repository.contains('/') => {
                let path = super::repository(&repository)?;
                super::block_on(of_one(&path, Method::DELETE, &which))?;
                format!("{path} deploys no more, and its functions go. Back: ofc repo install {path}\n")
            }
            What::Uninstall { repository, which } => {
                let owner = super::tenant(&repository, "ofc repo uninstall alice")?;
                super::block_on(of_all(&owner, &which))?;
                format!("No repository of {owner} deploys any more, and their functions go\n")
            }
        };
        Ok(print(&said)?)
    }
}

fn rename(path: &RepoPath, name: &str, which: &Which) -> anyhow::Result<String> {
    let name: RepoName =
        name.parse().map_err(|cause| Trouble::usage(format!("'{name}' is no repository's name")).because(cause))?;
    super::block_on(async {
        let repository = AsSomebody::default().repository(which, path).await?;
        repository.change("the new name", Method::PATCH, Some(&json!({ "name": name }))).await
    })?;
    Ok(format!("{path} is {}/{name} now. Where it is linked: ofc link {}/{name}\n", path.owner, path.owner))
}

fn remove(path: &RepoPath, yes: bool, which: &Which) -> anyhow::Result<String> {
    if !yes && !confirm(&format!("Remove {path} with its history and its functions?"))? {
        return Err(Trouble::new("nothing was removed").hint("answer yes, or give --yes").into());
    }
    super::block_on(async {
        let repository = AsSomebody::default().repository(which, path).await?;
        repository.change("the removal", Method::DELETE, None).await
    })?;
    Ok(format!("{path} is removed, and its functions go\n"))
}

/// Gives the App a repository, or takes it away.
async fn of_one(path: &RepoPath, method: Method, which: &Which) -> anyhow::Result<()> {
    let (data, record) = which.running()?;
    let client = local_owner(&data, &record, &path.owner)?;
    let scope = github_app::Scope::new([], 0, path.repo.as_str());
    let about = Call::new("the repository", Method::GET, ["repos", path.owner.as_str(), path.repo.as_str()]);
    let about = client.send(&about, 0, &scope).await.map_err(|cause| no_repository(path, cause))?;
    let about: Value = about.json()?;
    let (owner, repository) = (about["owner"]["id"].to_string(), about["id"].to_string());
    let segments = ["user", "installations", &owner, "repositories", &repository];
    let call = Call::new("the change of the installation", method, segments);
    client.send(&call, 0, &scope).await.map(drop).map_err(|cause| match cause.is_not_found() {
        true => Trouble::new(format!("the platform was taken away from {path} before")).because(cause).into(),
        false => cause.into(),
    })
}

fn no_repository(path: &RepoPath, cause: github_app::GithubError) -> anyhow::Error {
    if !cause.is_not_found() {
        return cause.into();
    }
    Trouble::new(format!("there is no repository {path}"))
        .hint("a repository comes into being with its first push")
        .into()
}

/// Takes the App away from an account.
async fn of_all(owner: &Owner, which: &Which) -> anyhow::Result<()> {
    let (data, record) = which.running()?;
    let app = local_app(&data, &record)?;
    let number = installation(&app, owner).await?.ok_or_else(|| {
        Trouble::new(format!("the platform is not installed for {owner}")).hint("see who there is: ofc ls")
    })?;
    let call = Call::new("the removal of the installation", Method::DELETE, ["app", "installations", &number]);
    app.api().send(&call, &app.jwt()?, 0).await?;
    Ok(())
}

async fn installation(app: &App, owner: &Owner) -> anyhow::Result<Option<String>> {
    let mut page = Some("1".to_owned());
    while let Some(number) = page {
        let call = Call::new("the list of installations", Method::GET, ["app", "installations"])
            .query("per_page", "100")
            .query("page", number);
        let answer = app.api().send(&call, &app.jwt()?, 0).await?;
        let all: Vec<Value> = answer.json()?;
        let is_it = |one: &&Value| {
            one["account"]["login"].as_str().is_some_and(|login| login.eq_ignore_ascii_case(owner.as_str()))
        };
        if let Some(found) = all.iter().find(is_it) {
            return Ok(Some(found["id"].to_string()));
        }
        page = answer.next_page("page");
    }
    Ok(None)
}
