//! `GET /v1/report`: which secrets there are, where they are from, and what is still sealed to an old certificate.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, Method};
use sdk::failure::Failure;
use sdk::id::{Owner, OwnerId};
use sdk::identity::Identity;
use sdk::sealing::{OwnerReport, Report, ReportedSecret, SealedTo};

use super::caller::{Caller, Callers};
use super::certificate;
use crate::app::App;
use crate::problem::Problem;
use crate::record::{Kept, Record};

pub(super) async fn report(State(app): State<App>, method: Method, headers: HeaderMap) -> Result<Response, Response> {
    let caller = Caller::prove(&app, &method, &headers, &[]).map_err(Failure::into_response)?;
    let _turn = Callers::turn(&app, &caller).await.map_err(Failure::into_response)?;
    let report = reported(&app, &caller).await.map_err(Problem::into_response)?;
    Ok(([(CACHE_CONTROL, "no-store")], Json(report)).into_response())
}

async fn reported(app: &App, caller: &Caller) -> Result<Report, Problem> {
    let certificate = certificate::newest(app).await?;
    let told = |record: Record| (!record.secrets.is_empty()).then(|| of_owner(record, &certificate.fingerprint));
    let owners = match caller {
        Caller::Platform => app.records.pick(told).await?,
        Caller::Person(person) => records(app, caller, person).await?.into_iter().filter_map(told).collect(),
    };
    Ok(Report { certificate, owners })
}

/// A person's owners are few.
async fn records(app: &App, caller: &Caller, person: &Identity) -> Result<Vec<Record>, Problem> {
    let own = (person.id, &person.login);
    let organisations = person.organisations.iter().map(|organisation| (organisation.id, &organisation.login));
    let mut records = Vec::new();
    for (id, login) in organisations.chain([own]) {
        let owner = OwnerId { host: person.host.clone(), id };
        if caller.may_see(&owner) {
            records.push(record(app, &owner, login).await?);
        }
    }
    Ok(records)
}

async fn record(app: &App, owner: &OwnerId, login: &Owner) -> Result<Record, Problem> {
    app.records.open(owner, login).await.map(|open| open.record)
}

fn of_owner(record: Record, newest: &str) -> OwnerReport {
    let secrets = record.secrets.into_iter().map(|(name, kept)| (name, of_secret(kept, newest))).collect();
    OwnerReport { owner_id: record.owner, login: record.login, secrets }
}

fn of_secret(kept: Kept, newest: &str) -> ReportedSecret {
    let sealed_to = |fingerprint: String| SealedTo { newest: fingerprint == newest, fingerprint };
    let changed_at =
        i64::try_from(kept.changed_at).ok().and_then(|seconds| DateTime::<Utc>::from_timestamp(seconds, 0));
    ReportedSecret {
        name: kept.stage,
        repo: kept.repo,
        keys: kept.keys.into_iter().map(|(key, kept)| (key, sealed_to(kept.fingerprint))).collect(),
        changed_at: changed_at.unwrap_or_default(),
        leaving: kept.leaving,
    }
}
