//! The keys that open sealed secrets: are they there, closed to others, good for long enough? And do they open what the platform
//! that runs has imported?

use std::collections::HashSet;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use sdk::sealing::Report;
use sealed_secrets::Keyring;

use super::Finding;
use crate::data_dir::DataDir;
use crate::instance::{self, State};
use crate::locate::Which;
use crate::seal::stage::Stage;
use crate::sealing::{self, SealingKeys};

const KEYS: &str = "sealing keys";
const SECRETS: &str = "sealed secrets";
/// Its end is told so long before.
const WARNING_DAYS: i64 = 30;
/// How many names are shown.
const SHOWN: usize = 5;

/// Nothing is said of a platform that has never been.
pub(super) async fn examine(data: &Path) -> Vec<Finding> {
    let Some(data) = DataDir::at(data).ok().filter(DataDir::exists) else { return Vec::new() };
    let keys = SealingKeys::of(&data);
    let ring = match keys.load() {
        Ok(Some(ring)) => ring,
        Ok(None) => return vec![missing()],
        Err(error) => {
            let advice =
                "bring the file back from a backup (`ofc restore`), or move it away and lose what was sealed to it";
            return vec![Finding::fail(KEYS, format!("{error:#}"), advice)];
        }
    };
    let mut findings = vec![newest(&ring, Utc::now())];
    findings.extend(open(&keys));
    if let Ok(State::Running(_)) = instance::state(&data) {
        findings.push(imported(&data, &ring).await);
    }
    findings
}

fn missing() -> Finding {
    Finding::warn(
        KEYS,
        "there is none",
        "the next start makes one; if there were some, bring them back from a backup first",
    )
}

fn newest(ring: &Keyring, now: DateTime<Utc>) -> Finding {
    let (count, newest) = (ring.certificates().len(), ring.newest());
    let until = newest.not_after().format("%Y-%m-%d");
    if now < newest.not_before() {
        let day = newest.not_before().format("%Y-%m-%d");
        let detail = format!("the newest is not valid before {day}");
        return Finding::warn(KEYS, detail, "was this machine's clock wrong? Nothing can be sealed to it until then");
    }
    if now > newest.not_after() {
        return Finding::warn(KEYS, format!("the newest expired on {until}"), "make a new one: ofc keys rotate");
    }
    if newest.not_after() - now < TimeDelta::days(WARNING_DAYS) {
        return Finding::warn(KEYS, format!("the newest expires on {until}"), "make a new one: ofc keys rotate");
    }
    let made = match sealing::age(newest, now) {
        today if today == "today" => today,
        age => format!("{age} ago"),
    };
    Finding::ok(KEYS, format!("{count}, the newest made {made} and good until {until}"))
}

fn open(keys: &SealingKeys) -> Option<Finding> {
    let open = keys.open_to_others().ok()?;
    let names: Vec<_> = open.iter().map(|path| path.display().to_string()).take(SHOWN).collect();
    if names.is_empty() {
        return None;
    }
    let advice = format!("close them, and seal anew if somebody may have read them: chmod go= {}", names.join(" "));
    Some(Finding::warn(KEYS, format!("{} of them are open to others", open.len()), advice))
}

async fn imported(data: &DataDir, ring: &Keyring) -> Finding {
    let which = Which { data: Some(data.root().to_owned()) };
    let report = async { Stage::find(None, &which)?.report().await };
    match report.await {
        Ok(report) => judge(&report, ring),
        Err(error) => Finding::fail(
            SECRETS,
            format!("import-secrets does not answer: {error:#}"),
            "see the log, and restart the platform",
        ),
    }
}

fn judge(report: &Report, ring: &Keyring) -> Finding {
    let known: HashSet<&str> = ring.certificates().map(|certificate| certificate.fingerprint()).collect();
    let all: Vec<_> = report.owners.iter().flat_map(|owner| owner.secrets.values()).collect();
    let fits = |secret: &sdk::sealing::ReportedSecret| {
        secret.keys.values().all(|sealed| sealed.fingerprint.is_empty() || known.contains(sealed.fingerprint.as_str()))
    };
    let lost: Vec<&str> = all.iter().filter(|secret| !fits(secret)).map(|secret| secret.name.as_str()).collect();
    if !lost.is_empty() {
        let names = lost.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
        let detail = format!("{} were sealed to a key that is not here: {names}", lost.len());
        return Finding::warn(
            SECRETS,
            detail,
            "bring the key back from a backup, or seal them anew (`ofc seal`) and push",
        );
    }
    let old = all.iter().filter(|secret| !secret.keys.values().all(|sealed| sealed.newest)).count();
    let detail = match (all.len(), old) {
        (0, _) => "none imported".to_owned(),
        (count, 0) => format!("{count}, all sealed to the newest key"),
        (count, old) => format!("{count}, of which {old} are sealed to an older key (`ofc keys report`)"),
    };
    Finding::ok(SECRETS, detail)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::doctor::Verdict;
    use crate::instance::Lock;

    fn at(days: i64) -> DateTime<Utc> {
        Utc::now() + TimeDelta::days(days)
    }

    #[tokio::test]
    async fn keys_that_are_missing_open_or_unusable_are_told() {
        let folder = tempfile::tempdir().unwrap();
        assert!(examine(&folder.path().join("none")).await.is_empty());
        let data = DataDir::create(&folder.path().join(".ofc")).unwrap();
        drop(Lock::take(&data).unwrap());
        assert_eq!(examine(data.root()).await, [missing()]);
        let keys = SealingKeys::of(&data);
        keys.make(Utc::now()).unwrap();
        let good = examine(data.root()).await;
        assert_eq!((good.len(), good[0].verdict), (1, Verdict::Ok), "{good:?}");
        assert!(good[0].detail.starts_with("1, the newest made today and good until "), "{good:?}");
        std::fs::write(data.sealing_keys().join("x.pem"), "no key").unwrap();
        let bad = examine(data.root()).await;
        assert_eq!((bad.len(), bad[0].verdict), (1, Verdict::Fail));
        std::fs::remove_file(data.sealing_keys().join("x.pem")).unwrap();
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(data.sealing_keys(), open).unwrap();
        let findings = examine(data.root()).await;
        assert_eq!(findings[1].verdict, Verdict::Warn);
        assert!(findings[1].advice.as_ref().unwrap().contains("chmod go= "), "{findings:?}");
    }

    #[test]
    fn the_end_of_the_newest_is_told_a_month_before() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::create(folder.path()).unwrap();
        let made = SealingKeys::of(&data).make(Utc::now()).unwrap();
        let ring = SealingKeys::of(&data).load().unwrap().unwrap();
        let end = made.not_after();
        let verdict = |now| newest(&ring, now).verdict;
        assert_eq!(verdict(at(100)), Verdict::Ok);
        assert_eq!(verdict(end - TimeDelta::days(31)), Verdict::Ok);
        assert_eq!(verdict(end - TimeDelta::days(29)), Verdict::Warn);
        assert!(newest(&ring, end + TimeDelta::days(1)).detail.contains("expired on"));
        assert!(newest(&ring, at(-2)).detail.contains("not valid before"));
    }

    #[test]
    fn secrets_whose_key_is_lost_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::create(folder.path()).unwrap();
        let made = SealingKeys::of(&data).make(Utc::now()).unwrap();
        let ring = SealingKeys::of(&data).load().unwrap().unwrap();
        let report = |fingerprint: &str, newest: bool| -> Report {
            let keys = json!({"password": {"fingerprint": fingerprint, "newest": newest}});
            let secret = json!({"name": "alice-db", "repo": "r", "keys": keys, "changed_at": "2026-02-03T00:00:00Z"});
            let owners = json!([{"host": "git.localhost", "id": 1, "login": "alice", "secrets": {"db": secret}}]);
            let certificate = json!({"fingerprint": made.fingerprint(), "not_before": made.not_before(), "not_after": made.not_after()});
            serde_json::from_value(json!({"certificate": certificate, "owners": owners})).unwrap()
        };
        let good = judge(&report(made.fingerprint(), true), &ring);
        assert_eq!((good.verdict, good.detail.as_str()), (Verdict::Ok, "1, all sealed to the newest key"));
        let old = judge(&report(made.fingerprint(), false), &ring);
        assert_eq!(old.verdict, Verdict::Ok);
        assert!(old.detail.contains("1 are sealed to an older key"));
        let lost = judge(&report(&"0".repeat(64), false), &ring);
        assert_eq!(lost.verdict, Verdict::Warn);
        assert!(lost.detail.ends_with("not here: alice-db"), "{lost:?}");
    }
}
