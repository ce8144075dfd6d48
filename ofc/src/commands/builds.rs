//! `ofc builds`.

use std::time::Duration;

use clap::Args;
use of_git::plain;
use sdk::history::{HISTORY_FUNCTION, HistoryRequest, MAX_RECORDS, PushRecord};
use sdk::id::{Owner, OwnerId, RepoPath};
use sdk::status::State;

use crate::host::own_owner;
use crate::inside::{Inside, owners};
use crate::locate::Which;
use crate::terminal;

const EXAMPLES: &str = "\
Examples:
  ofc builds                         The last pushes of everybody who has functions
  ofc builds --repo alice/hello      Those of one repository
  ofc status alice/hello 1a2b3c4     More about one of them";

/// The widest cell of a table, in characters.
const WIDTH: usize = 50;

/// List the last pushes, and what became of them
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Builds {
    /// Only this repository's
    #[arg(long, value_name = "OWNER/REPOSITORY")]
    repo: Option<String>,
    /// At most so many
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=100))]
    limit: u16,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    which: Which,
}

impl Builds {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let repo = self.repo.as_deref().map(super::repository).transpose()?;
        let (data, record) = self.which.running()?;
        let inside = Inside::of(&data, &record)?;
        let limit = usize::from(self.limit).min(MAX_RECORDS);
        let records = super::block_on(async {
            let functions = inside.gateway.list().await?;
            let mut asked: Vec<(OwnerId, Owner)> = owners(&functions).into_iter().collect();
            if let Some(path) = &repo {
                asked.retain(|(_, login)| *login == path.owner);
                if asked.is_empty() {
                    // Of whom nothing was ever live, only the host knows the number.
                    asked.push((own_owner(&data, &record, path).await?, path.owner.clone()));
                }
            }
            newest(&inside, asked, repo.as_ref(), limit).await
        })?;
        if self.json {
            return Ok(terminal::print(&format!("{}\n", serde_json::to_string_pretty(&records)?))?);
        }
        Ok(terminal::print(&render(&records))?)
    }
}

/// The newest of all of them.
async fn newest(
    inside: &Inside,
    asked: Vec<(OwnerId, Owner)>,
    repo: Option<&RepoPath>,
    limit: usize,
) -> anyhow::Result<Vec<PushRecord>> {
    let mut all: Vec<PushRecord> = Vec::new();
    for (owner_id, owner) in asked {
        let repo = repo.map(|path| path.repo.clone());
        let request = HistoryRequest { owner_id, owner, repo, sha: None, before: None, limit: Some(limit) };
        all.extend(inside.ask::<Vec<PushRecord>>(HISTORY_FUNCTION, &request).await?);
    }
    all.sort_by_key(|record| std::cmp::Reverse(record.began));
    all.truncate(limit);
    Ok(all)
}

fn render(records: &[PushRecord]) -> String {
    if records.is_empty() {
        return "Nothing was pushed yet. In a repository with a stack.yml: git push ofc main\n".to_owned();
    }
    let heading = ["BEGAN (UTC)", "REPOSITORY", "COMMIT", "STATE", "TOOK", "FUNCTIONS", "MESSAGE"].map(str::to_owned);
    let mut rows = vec![heading.to_vec()];
    rows.extend(records.iter().map(row));
    terminal::table(&rows)
}

fn row(record: &PushRecord) -> Vec<String> {
    let began = i64::try_from(record.began).ok().and_then(chrono::DateTime::from_timestamp_millis).unwrap_or_default();
    let took = record.ended.map(|ended| terminal::duration(Duration::from_millis(ended.saturating_sub(record.began))));
    let subject = record.message.lines().next().unwrap_or_default();
    vec![
        began.format("%Y-%m-%d %H:%M:%S").to_string(),
        format!("{}/{}", record.owner, record.repo),
        record.sha.short().to_owned(),
        word(record.state).to_owned(),
        took.unwrap_or_else(|| "-".to_owned()),
        functions(record),
        plain::line(subject, WIDTH),
    ]
}

fn word(state: State) -> &'static str {
    match state {
        State::Queued => "waits",
        State::InProgress => "goes on",
        State::Success => "live",
        State::Failure => "FAILED",
        State::Neutral => "nothing to do",
    }
}

/// How many of the functions are live, and what else there is about them.
fn functions(record: &PushRecord) -> String {
    let count = |state| record.functions.iter().filter(|function| function.state == state).count();
    let mut text = format!("{}/{}", count(State::Success), record.functions.len());
    let failed = record.functions.iter().filter(|function| function.state == State::Failure);
    let failed: Vec<_> = failed.map(|function| function.name.as_str()).collect();
    if !failed.is_empty() {
        text.push_str(&format!(", failed: {}", failed.join(" ")));
    }
    if !record.removed.is_empty() {
        text.push_str(&format!(", {} removed", record.removed.len()));
    }
    plain::line(&text, WIDTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(state: &str, ended: Option<u64>) -> PushRecord {
        serde_json::from_value(serde_json::json!({
            "owner_id": {"host": "git.localhost", "id": 7}, "owner": "alice", "repo": "shop", "repo_id": 11,
            "sha": "0123456789".repeat(4), "branch": "main", "began": 1_767_323_045_000_u64, "ended": ended, "state": state,
            "message": "Sell \u{1b}[31mmore\n\nBody", "removed": ["old"],
            "functions": [{"name": "cart", "state": "success"}, {"name": "pay", "state": "failure"}],
        }))
        .unwrap()
    }

    #[test]
    fn a_push_is_one_line_whatever_its_message_says() {
        let records = [record("failure", Some(1_767_323_050_500)), record("in_progress", None)];
        insta::assert_snapshot!(render(&records), @r"
        BEGAN (UTC)          REPOSITORY  COMMIT   STATE    TOOK   FUNCTIONS                    MESSAGE
        2026-01-02 03:04:05  alice/shop  0123456  FAILED   5.5 s  1/2, failed: pay, 1 removed  Sell more
        2026-01-02 03:04:05  alice/shop  0123456  goes on  -      1/2, failed: pay, 1 removed  Sell more
        ");
        assert!(render(&[]).contains("git push"));
    }

    #[test]
    fn what_a_stranger_commits_tells_the_terminal_nothing() {
        let evil = "\u{1b}]0;x\u{7}\u{1b}]8;;http://evil\u{1b}\\a\u{9b}2J\0\r\u{202e}b\u{2066}\u{85}".repeat(20_000);
        let hostile = PushRecord {
            message: format!("{evil}\n{evil}"),
            began: u64::MAX,
            ended: Some(0),
            ..record("failure", None)
        };
        let text = render(&[hostile]);
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(
            text.len() < 1000 && !text.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}'),
            "{text:?}"
        );
    }
}
