//! How the installation does, for who runs it. For all others it is not there.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use sdk::call::CallError;
use sdk::gateway::FunctionStatus;
use sdk::labels;

use super::standing;
use crate::app::App;
use crate::page::{self, Shell};
use crate::refusal::Refusal;
use crate::visitor::Visitor;

/// Parts that answer questions. Each is sent one that is not understood: who refuses it is there.
const PARTS: [&str; 6] =
    ["list-functions", "system-metrics", "pipeline-log/read", "function-logs", "import-secrets", "audit-event"];

#[derive(Template)]
#[template(path = "operator.html")]
struct Page {
    shell: Shell,
    versions: Vec<(&'static str, String)>,
    parts: Vec<Part>,
    tenants: usize,
    functions: usize,
    troubled: Vec<Troubled>,
    down: Vec<String>,
}

struct Part {
    name: &'static str,
    word: &'static str,
    mark: &'static str,
}

struct Troubled {
    name: String,
    word: &'static str,
    mark: &'static str,
}

pub(crate) async fn show(State(app): State<App>, visitor: Visitor) -> Result<Response, Refusal> {
    if !visitor.who.operator {
        return Err(Refusal::NotFound);
    }
    let parts = futures_util::future::join_all(PARTS.map(|part| health(&app, part, &visitor)));
    let (info, functions, parts) = tokio::join!(app.gateway.info(), app.gateway.list(), parts);
    let mut down = Vec::new();
    let versions = match info {
        Ok(info) => vec![
            ("Gateway", format!("{} ({})", info.version.release, info.version.sha)),
            ("Provider", format!("{} {}", info.provider.provider, info.provider.version.release)),
            ("Runs on", format!("{}, {}", info.provider.orchestration, info.arch)),
        ],
        Err(error) => missing(&mut down, "The gateway’s version", &error, &visitor),
    };
    let functions = functions.unwrap_or_else(|error| missing(&mut down, "The functions", &error, &visitor));
    let shell = Shell::of(&visitor, "Operator", "operator");
    let (tenants, troubled) = (tenants(&functions), troubled(&functions));
    Ok(page::good(&Page { shell, versions, parts, tenants, functions: functions.len(), troubled, down }))
}

fn missing<T: Default>(down: &mut Vec<String>, what: &str, error: &dyn std::error::Error, visitor: &Visitor) -> T {
    tracing::warn!(call_id = %visitor.call, error = error.to_string(), "{what} cannot be shown");
    down.push(format!("{what} cannot be shown at the moment."));
    T::default()
}

async fn health(app: &App, name: &'static str, visitor: &Visitor) -> Part {
    let answer = app.functions.invoke(name, &serde_json::Value::Null, &visitor.call.child()).await;
    let (word, mark) = match answer {
        Ok(_) => ("Answers", "good"),
        Err(CallError::Refused { status: StatusCode::NOT_FOUND, .. }) => ("Not installed", "calm"),
        Err(CallError::Refused { status, .. }) if status.is_client_error() => ("Answers", "good"),
        Err(_) => ("Does not answer", "bad"),
    };
    Part { name: name.split('/').next().unwrap_or(name), word, mark }
}

fn tenants(functions: &[FunctionStatus]) -> usize {
    let owner = |function: &FunctionStatus| {
        let label = |name: &str| function.labels.get(name).cloned();
        Some((label(labels::GIT_SCM)?, label(labels::GIT_OWNER_ID)?))
    };
    functions.iter().filter_map(owner).collect::<std::collections::BTreeSet<_>>().len()
}

fn troubled(functions: &[FunctionStatus]) -> Vec<Troubled> {
    let standings = functions.iter().map(|function| (function, standing::of(function)));
    let bad = standings.filter(|(_, standing)| matches!(standing.mark, "bad" | "busy"));
    bad.take(50)
        .map(|(function, standing)| Troubled { name: function.name.clone(), word: standing.word, mark: standing.mark })
        .collect()
}
