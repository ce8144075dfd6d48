//! An owner's sealed secrets: names and keys, never values.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use sdk::sealing::{Newest, Report, ReportedSecret, SealedTo};

use crate::app::App;
use crate::ask;
use crate::page::{self, Shell};
use crate::visitor::Place;
use crate::words::{self, Moment};

/// So many days before its end people are told to fetch a new certificate.
const WARN_DAYS: i64 = 30;

#[derive(Template)]
#[template(path = "secrets.html")]
struct Page {
    shell: Shell,
    secrets: Vec<Row>,
    certificate: Option<Certificate>,
    pem: Option<String>,
    old: usize,
    down: Option<String>,
    may_see: bool,
    /// The platform's address, where `ofc seal` finds the certificate.
    system: Option<String>,
}

struct Certificate {
    fingerprint: String,
    until: Moment,
    /// Days until then, where they are few.
    ends_in: Option<i64>,
}

struct Row {
    name: String,
    repo: String,
    keys: Vec<(String, bool)>,
    changed: Moment,
    is_old: bool,
    leaving: bool,
}

pub(crate) async fn show(State(app): State<App>, place: Place) -> Response {
    let shell = Shell::at(&place, "Secrets", "secrets");
    let may_see = place.may_act();
    let (answer, pem) = tokio::join!(ask::secrets(&app, &place.visitor), ask::certificate(&app));
    let down = answer.as_ref().err().map(ToString::to_string);
    let report = answer.ok();
    let secrets = report.as_ref().filter(|_| may_see).map(|report| rows(&place, report)).unwrap_or_default();
    let old = secrets.iter().filter(|row| row.is_old).count();
    let certificate = report.map(|report| certificate(&report.certificate));
    page::good(&Page { shell, secrets, certificate, pem, old, down, may_see, system: app.system_url() })
}

fn rows(place: &Place, report: &Report) -> Vec<Row> {
    let owners = report.owners.iter().filter(|owner| owner.owner_id == place.id);
    owners.flat_map(|owner| &owner.secrets).map(|(name, secret)| row(name.as_str(), secret)).collect()
}

fn row(name: &str, secret: &ReportedSecret) -> Row {
    // To what a value is sealed, only a controller may know.
    let is_newest = |sealed: &SealedTo| sealed.newest || sealed.fingerprint.is_empty();
    let keys: Vec<_> = secret.keys.iter().map(|(key, sealed)| (key.clone(), is_newest(sealed))).collect();
    Row {
        name: name.to_owned(),
        repo: secret.repo.to_string(),
        is_old: keys.iter().any(|(_, newest)| !newest),
        keys,
        changed: words::moment(u64::try_from(secret.changed_at.timestamp_millis()).unwrap_or_default()),
        leaving: secret.leaving,
    }
}

fn certificate(newest: &Newest) -> Certificate {
    let until = u64::try_from(newest.not_after.timestamp_millis()).unwrap_or_default();
    let left = i64::try_from(until / 1000).unwrap_or_default() - i64::try_from(words::now() / 1000).unwrap_or_default();
    let days = left.div_euclid(86_400);
    Certificate {
        fingerprint: newest.fingerprint.clone(),
        until: words::moment(until),
        ends_in: (days < WARN_DAYS).then_some(days.max(0)),
    }
}
