//! `ofc keys ls`.

use chrono::{DateTime, Utc};
use clap::Args;
use sealed_secrets::Certificate;

use super::short;
use crate::locate::Which;
use crate::sealing::SealingKeys;
use crate::terminal;

/// List the keys that open this stage's sealed secrets, the newest first
#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    which: Which,
}

impl List {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let data = self.which.data()?;
        let Some(ring) = SealingKeys::of(&data).load()? else {
            return Ok(terminal::print("There is no sealing key yet: `ofc up` makes the first.\n")?);
        };
        let all: Vec<_> = ring.certificates().collect();
        Ok(terminal::print(&render(&all, Utc::now()))?)
    }
}

fn render(certificates: &[&Certificate], now: DateTime<Utc>) -> String {
    let mut rows = vec![["CERTIFICATE", "MADE", "AGE", "EXPIRES", "USE"].map(str::to_owned).to_vec()];
    for (index, certificate) in certificates.iter().enumerate() {
        let day = |time: DateTime<Utc>| time.format("%Y-%m-%d").to_string();
        let usage = if index == 0 { "seals and opens" } else { "opens" };
        rows.push(vec![
            short(certificate.fingerprint()),
            day(certificate.not_before()),
            crate::sealing::age(certificate, now),
            day(certificate.not_after()),
            usage.to_owned(),
        ]);
    }
    terminal::table(&rows)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use sealed_secrets::KeyPair;

    use super::*;

    #[test]
    fn the_newest_seals_and_all_open() {
        let now: DateTime<Utc> = "2026-03-01T12:00:00Z".parse().unwrap();
        let made = |days| {
            let pair = KeyPair::generate(now - TimeDelta::days(days), TimeDelta::days(3650)).unwrap();
            pair.certificate().clone()
        };
        let (new, old) = (made(1), made(40));
        let text = render(&[&new, &old], now);
        let text =
            text.replace(&short(new.fingerprint()), "<new>       ").replace(&short(old.fingerprint()), "<old>       ");
        insta::assert_snapshot!(text, @r"
        CERTIFICATE   MADE        AGE      EXPIRES     USE
        <new>         2026-02-28  1 day    2036-02-26  seals and opens
        <old>         2026-01-20  40 days  2036-01-18  opens
        ");
    }
}
