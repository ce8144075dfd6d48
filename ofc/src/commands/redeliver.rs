//! `ofc redeliver`.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use clap::Args;
use github_app::Delivery;

use crate::host::AtGithub;
use crate::locate::Which;
use crate::redelivery::{self, Asked};
use crate::report::Exit;
use crate::terminal;

const EXAMPLES: &str = "\
Examples:
  ofc redeliver                          Of the last hour, at the platform that runs here
  ofc redeliver --since 24h --dry-run    Which would be sent again?
  ofc redeliver --app-id 12345 --key-file key.pem        At GitHub, for instance every ten minutes

GitHub never sends a webhook again by itself, and keeps each for three days. One that arrives twice does no harm.";

/// Have the webhooks sent again that did not arrive; exit code 1 if the host refuses one
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Redeliver {
    /// How far back: 90s, 30m, 1h, 72h
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = age)]
    since: Duration,
    /// Say which they are, and ask for nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    github: AtGithub,
    #[command(flatten)]
    which: Which,
}

fn age(text: &str) -> Result<Duration, String> {
    let age = sdk::parse_duration(text).filter(|age| !age.is_zero() && TimeDelta::from_std(*age).is_ok());
    age.ok_or_else(|| "has to be a time such as 30m, 1h or 72h".to_owned())
}

impl Redeliver {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let app = self.github.app(&self.which)?;
        let age = TimeDelta::from_std(self.since)?;
        let all = super::block_on(async {
            if self.dry_run {
                let missed = app.missed_since(Utc::now() - age).await?;
                return Ok(missed.into_iter().map(|delivery| (delivery, Ok(()))).collect());
            }
            Ok(redelivery::since(&app, age).await?)
        })?;
        terminal::print(&render(&all, self.dry_run))?;
        if all.iter().any(|(_, asked)| asked.is_err()) { Err(Exit(1).into()) } else { Ok(()) }
    }
}

fn render(all: &[Asked], dry_run: bool) -> String {
    if all.is_empty() {
        return "Every webhook of that time has arrived.\n".to_owned();
    }
    let heading = ["SENT AT", "EVENT", "ANSWER", "DELIVERY", ""].map(str::to_owned).to_vec();
    let mut rows = vec![heading];
    rows.extend(all.iter().map(|(delivery, asked)| {
        let outcome = match asked {
            Ok(()) if dry_run => String::new(),
            Ok(()) => "sent again".to_owned(),
            Err(error) => of_git::plain::line(&error.to_string(), of_git::plain::WIDTH),
        };
        let time = delivery.delivered_at.format("%Y-%m-%d %H:%M:%S").to_string();
        vec![time, kind(delivery), plain(&delivery.status), plain(&delivery.guid), outcome]
    }));
    terminal::table(&rows)
}

fn kind(delivery: &Delivery) -> String {
    match &delivery.action {
        Some(action) => plain(&format!("{}.{action}", delivery.event)),
        None => plain(&delivery.event),
    }
}

fn plain(text: &str) -> String {
    of_git::plain::line(text, 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(id: u64, event: &str, action: Option<&str>, code: u16, status: &str) -> Delivery {
        serde_json::from_value(serde_json::json!({
            "id": id, "guid": format!("guid-{id}"), "delivered_at": "2026-01-02T03:04:05Z", "redelivery": false,
            "status": status, "status_code": code, "event": event, "action": action,
        }))
        .unwrap()
    }

    #[test]
    fn what_was_sent_again_is_listed() {
        let all = [
            (delivery(1, "push", None, 503, "Invalid HTTP Response: 503"), Ok(())),
            (delivery(2, "check_run", Some("rerequested"), 0, "timed out"), Ok(())),
        ];
        insta::assert_snapshot!(render(&all, false), @r"
        SENT AT              EVENT                  ANSWER                      DELIVERY
        2026-01-02 03:04:05  push                   Invalid HTTP Response: 503  guid-1    sent again
        2026-01-02 03:04:05  check_run.rerequested  timed out                   guid-2    sent again
        ");
        assert!(!render(&all, true).contains("sent again"));
        assert!(render(&[], false).contains("has arrived"));
    }

    #[test]
    fn times_are_read() {
        assert_eq!(age("1h"), Ok(Duration::from_secs(3600)));
        assert_eq!(age("1h30m"), Ok(Duration::from_secs(5400)));
        for wrong in ["", "0", "soon", "-1h", "1e300"] {
            assert!(age(wrong).is_err(), "{wrong}");
        }
    }
}
