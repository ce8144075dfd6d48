//! Checks a deployment before anything is started for it.

use std::collections::BTreeSet;

use sdk::gateway::FunctionDeployment;

use crate::app::App;
use crate::cron::Schedule;
use crate::engine::{InvalidQuantity, Record, Template, check_requests, cpu, memory};
use crate::functions::{FunctionId, Settings, valid_name};
use crate::problem::Problem;
use crate::secrets::SecretsError;

/// The checked deployment; generation and image id are still to be filled in.
pub(super) fn template(app: &App, mut spec: FunctionDeployment) -> Result<Template, Problem> {
    if !valid_name(&spec.service) {
        return Err(Problem::Invalid(format!(
            "\"{}\" cannot name a function: lower-case letters, digits and inner hyphens, at most 63",
            spec.service
        )));
    }
    if spec.image.trim().is_empty() {
        return Err(Problem::Invalid(format!("the function {} names no image", spec.service)));
    }
    if spec.namespace.is_empty() {
        spec.namespace.clone_from(&app.config.namespace);
    }
    if !app.namespaces.exists(&spec.namespace) {
        return Err(Problem::Invalid(format!(
            "the namespace {} does not exist; create it before deploying into it",
            spec.namespace
        )));
    }
    environment(&spec)?;
    Schedule::of(&spec.annotations).map_err(Problem::Invalid)?;
    Settings::of(&spec).map_err(Problem::Invalid)?;
    let limits = spec.limits.clone().unwrap_or_default();
    let defaults = &app.config.limits;
    let memory = quantity(or(&limits.memory, &defaults.memory), memory)?;
    let cpu = quantity(or(&limits.cpu, &defaults.cpu), cpu)?;
    // Written down: it is to hold for as long as this version lives.
    spec.read_only_root_filesystem.get_or_insert(defaults.read_only);
    let requests = spec.requests.clone().unwrap_or_default();
    check_requests(&requests.memory, &requests.cpu)
        .map_err(|error| Problem::Invalid(format!("in the requests, {error}")))?;
    once(&mut spec.secrets);
    let (files, stamp) = app.secrets.files(&spec.namespace, &spec.secrets).map_err(secret_problem)?;
    let record = Record {
        function: FunctionId::new(spec.service.as_str(), spec.namespace.as_str()),
        generation: 0,
        index: 0,
        spec,
        image_id: String::new(),
        secrets: stamp,
    };
    let pids = Some(defaults.pids).filter(|pids| *pids > 0);
    Ok(Template { record, memory, cpu, pids, secrets: files })
}

/// What has no limit cannot be counted.
pub(super) fn bounded(app: &App, template: &Template) -> Result<(), Problem> {
    let namespace = &template.record.function.namespace;
    let quota = app.quota(namespace);
    let unbounded = [
        ("limits.memory", template.memory.is_none() && quota.memory.is_some()),
        ("limits.cpu", template.cpu.is_none() && quota.cpu.is_some()),
    ];
    match unbounded.into_iter().find(|(_, unbounded)| *unbounded) {
        None => Ok(()),
        Some((limit, _)) => Err(Problem::Invalid(format!(
            "the namespace {namespace} has a quota, so each of its functions has to have {limit}"
        ))),
    }
}

/// Named by a file and by an option, a secret is mounted once.
fn once(names: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
}

fn environment(spec: &FunctionDeployment) -> Result<(), Problem> {
    for (name, value) in &spec.env_vars {
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            return Err(Problem::Invalid(format!("\"{name}\" is not a valid environment variable")));
        }
    }
    if spec.env_process.contains('\0') {
        return Err(Problem::Invalid("envProcess contains a null character".to_owned()));
    }
    Ok(())
}

/// A deployment that names a missing secret is itself wrong, not missing.
fn secret_problem(error: SecretsError) -> Problem {
    match error {
        SecretsError::Missing(_) | SecretsError::Name(_) => {
            Problem::Invalid(format!("{error}; create it before deploying a function that uses it"))
        }
        SecretsError::SameFile { .. } => Problem::Invalid(error.to_string()),
        other => Problem::Secrets(other),
    }
}

/// `None` where there is no limit.
fn quantity(text: &str, read: fn(&str) -> Result<i64, InvalidQuantity>) -> Result<Option<i64>, Problem> {
    let limit = (!text.is_empty()).then(|| read(text)).transpose();
    limit.map_err(|error| Problem::Invalid(error.to_string()))
}

fn or<'a>(text: &'a str, default: &'a str) -> &'a str {
    if text.is_empty() { default } else { text }
}
