//! `ofc git-credential`: git's question for a user name and a password, answered for our git host alone.
//!
//! The token is derived when git asks and goes to git through a pipe: it is in no configuration file, address
//! or argument. See gitcredentials(7) for the protocol.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use clap::Args;
use sdk::id::RepoPath;
use secrecy::{ExposeSecret, SecretString};

use crate::data_dir::DataDir;
use crate::instance::{self, Record};
use crate::secrets::GIT_TOKEN_KEY;

/// Git sends a few short lines.
const MAX_QUESTION: u64 = 64 * 1024;

/// Answer git's questions for credentials
#[derive(Debug, Args)]
pub struct GitCredential {
    /// The platform's data directory
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// `get`, `store` or `erase`; others are passed over, as git asks
    operation: String,
}

impl GitCredential {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let mut question = String::new();
        std::io::stdin().lock().take(MAX_QUESTION).read_to_string(&mut question)?;
        // There is nothing to store and nothing to erase: a token can be derived at any time.
        if self.operation != "get" {
            return Ok(());
        }
        let data = DataDir::at(&self.data)?;
        let record = instance::running(&data)?;
        let key = record.secrets(&data).get(GIT_TOKEN_KEY)?;
        if let Some(answer) = answer(&question, &record, &key) {
            crate::terminal::print(answer.expose_secret())?;
        }
        Ok(())
    }
}

/// The answer, if the question is about one of our repositories.
fn answer(question: &str, record: &Record, key: &SecretString) -> Option<SecretString> {
    let asked: BTreeMap<&str, &str> =
        question.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.split_once('=')).collect();
    let ours =
        *asked.get("protocol")? == record.scheme() && asked.get("host")?.eq_ignore_ascii_case(&record.host("git"));
    let path = asked.get("path").filter(|_| ours)?.trim_matches('/');
    let path: RepoPath = path.strip_suffix(".git").unwrap_or(path).parse().ok()?;
    if asked.get("username").is_some_and(|user| !user.eq_ignore_ascii_case(path.owner.as_str())) {
        return None;
    }
    let token = of_git::token(key, &path.owner);
    Some(format!("username={}\npassword={}\n", path.owner, token.expose_secret()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(question: &str) -> Option<String> {
        let record = Record::sample();
        answer(question, &record, &"master".into()).map(|answer| answer.expose_secret().to_owned())
    }

    #[test]
    fn our_repositories_get_their_owners_token() {
        let answer = ask("protocol=http\nhost=git.localhost:8000\npath=Alice/hello.git\n\n").unwrap();
        let token = of_git::token(&"master".into(), &"alice".parse().unwrap());
        assert_eq!(answer, format!("username=alice\npassword={}\n", token.expose_secret()));
        assert!(ask("protocol=http\nhost=git.localhost:8000\npath=alice/hello\nusername=alice\n").is_some());
    }

    #[test]
    fn nobody_else_gets_an_answer() {
        for question in [
            "protocol=https\nhost=git.localhost:8000\npath=alice/hello.git\n",
            "protocol=http\nhost=git.localhost:8001\npath=alice/hello.git\n",
            "protocol=http\nhost=git.localhost.evil.example\npath=alice/hello.git\n",
            "protocol=http\nhost=git.localhost:8000\n",
            "protocol=http\nhost=git.localhost:8000\npath=../hello.git\n",
            "protocol=http\nhost=git.localhost:8000\npath=alice/a/b.git\n",
            "protocol=http\nhost=git.localhost:8000\npath=alice/hello.git\nusername=bob\n",
            "\nprotocol=http\nhost=git.localhost:8000\npath=alice/hello.git\n",
            "",
        ] {
            assert_eq!(ask(question), None, "{question}");
        }
    }
}
