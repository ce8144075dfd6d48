//! `ofc keys report`.

use clap::Args;
use sdk::sealing::{OwnerReport, Report, ReportedSecret};

use super::short;
use crate::locate::Which;
use crate::seal::stage::Stage;
use crate::terminal;

/// Show to which key each imported secret is sealed: of all owners at the platform that runs here, elsewhere of those that
/// one belongs to
#[derive(Debug, Args)]
pub(super) struct ShowReport {
    /// The address of a platform that runs elsewhere, at which one is signed in (`ofc login`)
    #[arg(long, value_name = "URL")]
    stage: Option<String>,
    /// For programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    which: Which,
}

impl ShowReport {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let report = super::super::block_on(async { Stage::find(self.stage.as_deref(), &self.which)?.report().await })?;
        let text = if self.json { format!("{}\n", serde_json::to_string_pretty(&report)?) } else { render(&report) };
        Ok(terminal::print(&text)?)
    }
}

fn render(report: &Report) -> String {
    let newest = short(&report.certificate.fingerprint);
    let mut rows = vec![["SECRET", "KEYS", "REPOSITORY", "CHANGED", "SEALED TO"].map(str::to_owned).to_vec()];
    for owner in &report.owners {
        rows.extend(owner.secrets.iter().map(|(name, secret)| row(owner, name.as_str(), secret)));
    }
    if rows.len() == 1 {
        return format!("No secret has been imported. The newest key is {newest}.\n");
    }
    let old = report.owners.iter().flat_map(|owner| owner.secrets.values()).filter(|secret| !is_newest(secret)).count();
    let last = match old {
        0 => format!("\nAll are sealed to the newest key, {newest}.\n"),
        _ => format!(
            "\n{old} not to the newest key, {newest}. They open as before; to seal them anew, run `ofc seal rotate` in \
             their repositories and push.\n"
        ),
    };
    terminal::table(&rows) + &last
}

fn row(owner: &OwnerReport, name: &str, secret: &ReportedSecret) -> Vec<String> {
    let mut sealed_to: Vec<String> = secret.keys.values().map(|sealed| short(&sealed.fingerprint)).collect();
    sealed_to.sort();
    sealed_to.dedup();
    let state = match (secret.leaving, is_newest(secret)) {
        (true, _) => " (in no file any more)",
        (_, true) => "",
        (_, false) => " (old)",
    };
    vec![
        format!("{}/{name}", owner.login),
        secret.keys.keys().cloned().collect::<Vec<_>>().join(","),
        secret.repo.to_string(),
        secret.changed_at.format("%Y-%m-%d").to_string(),
        format!("{}{state}", sealed_to.join(",")),
    ]
}

fn is_newest(secret: &ReportedSecret) -> bool {
    secret.keys.values().all(|sealed| sealed.newest)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_sealed_to_an_old_key_stands_out() {
        let (new, old) = ("a".repeat(64), "b".repeat(64));
        let certificate =
            json!({"fingerprint": new, "not_before": "2026-01-01T00:00:00Z", "not_after": "2036-01-01T00:00:00Z"});
        let secret = |name: &str, keys: serde_json::Value| json!({"name": format!("alice-{name}"), "repo": "staging-secrets", "keys": keys, "changed_at": "2026-02-03T00:00:00Z"});
        let to = |fingerprint: &str, newest: bool| json!({"fingerprint": fingerprint, "newest": newest});
        let secrets = json!({
            "db": secret("db", json!({"password": to(&old, false), "user": to(&new, true)})),
            "npm": secret("npm", json!({"token": to(&new, true)})),
        });
        let report = |owners: serde_json::Value| -> Report {
            serde_json::from_value(json!({"certificate": certificate, "owners": owners})).unwrap()
        };
        let all = report(json!([{"host": "github.com", "id": 7, "login": "alice", "secrets": secrets}]));
        insta::assert_snapshot!(render(&all), @r"
        SECRET     KEYS           REPOSITORY       CHANGED     SEALED TO
        alice/db   password,user  staging-secrets  2026-02-03  aaaaaaaaaaaa,bbbbbbbbbbbb (old)
        alice/npm  token          staging-secrets  2026-02-03  aaaaaaaaaaaa

        1 not to the newest key, aaaaaaaaaaaa. They open as before; to seal them anew, run `ofc seal rotate` in their repositories and push.
        ");
        assert!(render(&report(json!([]))).starts_with("No secret has been imported."));
    }
}
