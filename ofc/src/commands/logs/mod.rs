//! `ofc logs`.

mod source;
mod time;

use anyhow::Context as _;
use clap::Args;
use futures_util::{StreamExt as _, pin_mut};
use sdk::function_log::Line;
use sdk::id::{FunctionName, Owner, ServiceName};

use crate::inside::Inside;
use crate::locate::Which;
use crate::report::Trouble;
use crate::terminal::{self, FAINT};
use source::Question;
use time::Moment;

const EXAMPLES: &str = "\
Examples:
  ofc logs alice/hello
  ofc logs alice/hello -f --tail 10
  ofc logs alice/hello --since 2h --grep error
  ofc logs alice/hello --since '2026-01-02 03:04' --until '2026-01-02 04:00'

What functions of repositories write is kept after their replicas are gone. Times are in UTC.";

/// Show what a function writes, and what it wrote
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Logs {
    /// Whose function it is, and its name; or its name at the gateway
    #[arg(value_name = "OWNER/FUNCTION")]
    function: String,
    /// Go on as lines come, until Ctrl-C
    #[arg(short, long, conflicts_with = "until")]
    follow: bool,
    /// Only the last so many old lines
    #[arg(long, value_name = "LINES")]
    tail: Option<u32>,
    /// From then on: so long ago (10m, 2h), or a time in UTC (2026-01-02, '2026-01-02 03:04', RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = Moment::parse)]
    since: Option<Moment>,
    /// Before then
    #[arg(long, value_name = "TIME", value_parser = Moment::parse)]
    until: Option<Moment>,
    /// Only lines with this text, whatever its case
    #[arg(long, value_name = "TEXT", value_parser = short)]
    grep: Option<String>,
    /// Only this replica's; the beginning of its name is enough
    #[arg(long, value_name = "REPLICA")]
    instance: Option<String>,
    #[command(flatten)]
    which: Which,
}

impl Logs {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let name = service(&self.function)?;
        let (data, record) = self.which.running()?;
        let inside = Inside::of(&data, &record)?;
        let now = chrono::Utc::now();
        let question = Question {
            name,
            follow: self.follow,
            tail: self.tail,
            since: self.since.map(|since| since.before(now)),
            until: self.until.map(|until| until.before(now)),
            grep: self.grep,
            instance: self.instance,
        };
        super::block_on(async {
            let function =
                inside.gateway.get(question.name.as_str()).await?.ok_or_else(|| {
                    Trouble::new(format!("there is no function {}", self.function)).hint("see `ofc ls`")
                })?;
            let lines = question.ask(&inside, &function).await?;
            pin_mut!(lines);
            while let Some(line) = lines.next().await {
                terminal::print(&render(&line.context("the log broke off")?))?;
            }
            Ok(())
        })
    }
}

fn short(text: &str) -> Result<String, String> {
    let max = sdk::function_log::MAX_GREP_BYTES;
    if text.len() <= max { Ok(text.to_owned()) } else { Err(format!("has more than {max} bytes")) }
}

pub(super) fn service(text: &str) -> anyhow::Result<ServiceName> {
    let parse = || match text.split_once('/') {
        Some((owner, function)) => ServiceName::of(&owner.parse::<Owner>()?, &function.parse::<FunctionName>()?),
        None => text.parse(),
    };
    parse().map_err(|cause| {
        Trouble::usage(format!("'{text}' names no function")).hint("write it as OWNER/FUNCTION").because(cause).into()
    })
}

/// Whatever a function writes, the terminal is not told to do anything.
fn render(line: &Line) -> String {
    let time = i64::try_from(line.at).ok().and_then(chrono::DateTime::from_timestamp_millis).unwrap_or_default();
    let time = time.format("%Y-%m-%d %H:%M:%S");
    // Nor does text run backwards and look like another.
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let plain = |c: char| if (c.is_control() && c != '\t') || turns(c) { '\u{fffd}' } else { c };
    let text: String = line.text.trim_end().chars().map(plain).collect();
    format!("{FAINT}{time}{FAINT:#} {text}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_of_a_function_work() {
        assert_eq!(service("Alice/hello").unwrap().as_str(), "alice-hello");
        assert_eq!(service("git-tar").unwrap().as_str(), "git-tar");
        assert!(crate::report::render(&service("a/b/c").unwrap_err()).contains("OWNER/FUNCTION"));
    }

    #[test]
    fn a_line_tells_the_terminal_nothing() {
        let line =
            Line { at: 1_767_323_045_678, instance: "a".into(), text: "\u{1b}]0;x\u{7}a\tb\u{9b}2J \r\n".into() };
        let text = render(&line);
        assert!(text.contains("2026-01-02 03:04:05"), "{text}");
        assert!(text.ends_with("\u{fffd}]0;x\u{fffd}a\tb\u{fffd}2J\n"), "{text:?}");
        let other = "\u{1b}]8;;http://evil\u{1b}\\ok\u{1b}[1A\0\r\u{202e}liaf\u{2066}\n\u{85}\u{7f}";
        let text = render(&Line { at: u64::MAX, instance: String::new(), text: other.into() });
        let own = |text: &str| text.replace(&format!("{FAINT}"), "").replace(&format!("{FAINT:#}"), "");
        assert_eq!(text.matches('\n').count(), 1, "it stays one line: {text:?}");
        let hidden = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202e}' | '\u{2066}');
        assert!(!own(&text).contains(hidden), "{text:?}");
    }

    #[test]
    fn a_text_to_search_for_is_short() {
        assert!(short(&"x".repeat(256)).is_ok() && short(&"x".repeat(257)).is_err());
    }
}
