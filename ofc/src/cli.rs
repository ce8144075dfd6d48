//! What `ofc` understands.

use clap::{Parser, Subcommand};

use crate::commands::{
    backup, builds, completions, demo, doctor, down, git_credential, init, keys, link, login, login_link, logout, logs,
    ls, open, org, password, redeliver, redeploy, repo, restore, seal, status, token, top, up, whoami,
};

const EXAMPLES: &str = "\
Examples:
  ofc doctor                     Is this machine ready?
  ofc demo                       See a push become live functions, and leave nothing behind
  ofc up                         Start the platform here; stop it with Ctrl-C
  ofc init                       Set up an installation with a domain, GitHub, TLS, a registry
  ofc link alice/hello           In a git repository: make `git push ofc main` deploy it
  ofc ls                         What is live, and where
  ofc status alice/hello         How the last push went";

/// OpenFaaS Cloud on one machine: `git push`, and the functions of a repository are live.
#[derive(Debug, Parser)]
#[command(name = "ofc", version, after_help = EXAMPLES, arg_required_else_help = true, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Set up an installation: configuration, keys, GitHub App, units or manifests
    Init(init::Init),
    /// Start the platform
    Up(up::Up),
    /// Stop the platform
    Down(down::Down),
    /// Push a sample, call it, change it, push again: the whole platform in one go
    Demo(demo::Demo),
    /// Look whether this machine is ready
    Doctor(doctor::Doctor),
    /// Make `git push` in this repository deploy it
    Link(link::Link),
    /// Sign in at a platform, in a browser, and keep an API token for it
    Login(login::Login),
    /// Revoke that token and forget it
    Logout(logout::Logout),
    /// Say who you are at a platform
    Whoami(whoami::Whoami),
    /// Print a link that signs an owner in, once
    LoginLink(login_link::LoginLink),
    /// Say who belongs to which organisation
    Org(org::Org),
    /// List the functions that are deployed
    Ls(ls::Ls),
    /// Show what a function writes, and what it wrote
    Logs(logs::Logs),
    /// Show how functions do: calls, errors, latency, memory
    Top(top::Top),
    /// List the last pushes, and what became of them
    Builds(builds::Builds),
    /// Open the dashboard, or a function, in a browser
    Open(open::Open),
    /// Say whether the platform runs, and where; or how the deployment of a commit went
    Status(status::Status),
    /// Deploy a commit again, or an older one
    Redeploy(redeploy::Redeploy),
    /// Have the webhooks sent again that did not arrive
    Redeliver(redeliver::Redeliver),
    /// Seal secrets for one stage, so that they can be committed
    Seal(seal::Seal),
    /// The keys that open sealed secrets
    Keys(keys::Keys),
    /// Write the platform's keys and state into one file
    Backup(backup::Backup),
    /// Make a data directory of a backup
    Restore(restore::Restore),
    /// Rename or remove a repository, or take the platform away from it
    Repo(repo::Repo),
    /// Print the token with which an owner pushes from another machine
    Token(token::Token),
    /// Say how faas-cli logs in to the gateway
    Password(password::Password),
    /// Print completions for a shell
    Completions(completions::Completions),
    /// Answer git's questions for credentials (git calls this)
    #[command(hide = true)]
    GitCredential(git_credential::GitCredential),
}

impl Cli {
    /// Does what was asked.
    ///
    /// # Errors
    /// When it could not be done; [`crate::report`] shows why.
    pub fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Init(init) => init.run(),
            Command::Up(up) => up.run(),
            Command::Down(down) => down.run(),
            Command::Demo(demo) => demo.run(),
            Command::Doctor(doctor) => doctor.run(),
            Command::Link(link) => link.run(),
            Command::Login(login) => login.run(),
            Command::Logout(logout) => logout.run(),
            Command::Whoami(whoami) => whoami.run(),
            Command::LoginLink(link) => link.run(),
            Command::Org(org) => org.run(),
            Command::Ls(ls) => ls.run(),
            Command::Logs(logs) => logs.run(),
            Command::Top(top) => top.run(),
            Command::Builds(builds) => builds.run(),
            Command::Open(open) => open.run(),
            Command::Status(status) => status.run(),
            Command::Redeploy(redeploy) => redeploy.run(),
            Command::Redeliver(redeliver) => redeliver.run(),
            Command::Seal(seal) => seal.run(),
            Command::Keys(keys) => keys.run(),
            Command::Backup(backup) => backup.run(),
            Command::Restore(restore) => restore.run(),
            Command::Repo(repo) => repo.run(),
            Command::Token(token) => token.run(),
            Command::Password(password) => password.run(),
            Command::Completions(completions) => completions.run(),
            Command::GitCredential(credential) => credential.run(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }
}
