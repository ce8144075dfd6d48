//! How the installation does, for who runs it. For all others it is not there.

mod builder;
mod load;
mod tenants;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use sdk::call::CallError;
use sdk::gateway::{FunctionStatus, GatewayError, Info};
use tokio::time::timeout;

use self::load::{Disk, Queue};
use self::tenants::Tenants;
use super::standing;
use crate::app::App;
use crate::ask::{self, Answer, Unanswered};
use crate::page::{self, Shell};
use crate::refusal::Refusal;
use crate::visitor::Visitor;

/// Parts that answer questions. Each is sent one that is not understood: who refuses it is there.
const PARTS: [&str; 6] =
    ["list-functions", "system-metrics", "pipeline-log/read", "function-logs", "import-secrets", "audit-event"];
/// More functions in trouble are counted alone.
const TROUBLED: usize = 50;

#[derive(Template)]
#[template(path = "operator.html")]
struct Page {
    shell: Shell,
    versions: Vec<(&'static str, String)>,
    parts: Vec<Part>,
    functions: Option<usize>,
    tenants: Tenants,
    troubled: Vec<Part>,
    in_trouble: usize,
    queue: Queue,
    disk: Disk,
    builder: Vec<(&'static str, Part)>,
    down: Vec<String>,
}

/// Something with a word about how it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    name: String,
    word: String,
    mark: &'static str,
}

impl Part {
    fn new(name: impl Into<String>, word: impl Into<String>, mark: &'static str) -> Self {
        Self { name: name.into(), word: word.into(), mark }
    }
}

pub(crate) async fn show(State(app): State<App>, visitor: Visitor) -> Result<Response, Refusal> {
    if !visitor.who.operator {
        return Err(Refusal::NotFound);
    }
    let parts = futures_util::future::join_all(PARTS.map(|part| health(&app, part, &visitor)));
    let (info, functions, load, parts, builder) = tokio::join!(
        answer("The gateway’s version", &visitor, app.gateway.info()),
        answer("The functions", &visitor, app.gateway.list()),
        answer("How much waits", &visitor, app.gateway.load()),
        parts,
        builder::of(&app, &visitor),
    );
    let errors = [info.as_ref().err(), functions.as_ref().err(), load.as_ref().err()];
    let down = errors.into_iter().flatten().map(ToString::to_string).collect();
    let (queue, disk) = load::shown(load.as_ref().ok().and_then(Option::as_ref), load.is_ok());
    let count = functions.as_ref().ok().map(Vec::len);
    let functions = functions.unwrap_or_default();
    let mut troubled = troubled(&functions);
    let in_trouble = troubled.len();
    troubled.truncate(TROUBLED);
    Ok(page::good(&Page {
        shell: Shell::of(&visitor, "Operator", "operator"),
        versions: versions(info.ok()),
        parts,
        functions: count,
        tenants: Tenants::of(&functions),
        troubled,
        in_trouble,
        queue,
        disk,
        builder,
        down,
    }))
}

async fn answer<T>(
    what: &'static str,
    visitor: &Visitor,
    asked: impl Future<Output = Result<T, GatewayError>>,
) -> Answer<T> {
    let answer = timeout(ask::PATIENCE, asked).await.map_err(Unanswered::from);
    ask::told(what, visitor, answer.and_then(|answer| Ok(answer?)))
}

fn versions(info: Option<Info>) -> Vec<(&'static str, String)> {
    let with_commit = |release: String, sha: &str| if sha.is_empty() { release } else { format!("{release} ({sha})") };
    let own = ("This page", env!("CARGO_PKG_VERSION").to_owned());
    let Some(info) = info else { return vec![own] };
    vec![
        ("Gateway", with_commit(info.version.release, &info.version.sha)),
        ("Provider", format!("{} {}", info.provider.provider, info.provider.version.release)),
        ("Runs on", format!("{}, {}", info.provider.orchestration, info.arch)),
        own,
    ]
}

async fn health(app: &App, name: &'static str, visitor: &Visitor) -> Part {
    let call = visitor.call.child();
    let answer = timeout(ask::PATIENCE, app.functions.invoke(name, &serde_json::Value::Null, &call)).await;
    let (word, mark) = match answer {
        Ok(Ok(_)) => ("Answers", "good"),
        Ok(Err(CallError::Refused { status: StatusCode::NOT_FOUND, .. })) => ("Not installed", "calm"),
        Ok(Err(CallError::Refused { status, .. })) if status.is_client_error() => ("Answers", "good"),
        Ok(Err(_)) | Err(_) => ("Does not answer", "bad"),
    };
    Part::new(name.split('/').next().unwrap_or(name), word, mark)
}

/// Functions that are not as they should be, the worst first.
fn troubled(functions: &[FunctionStatus]) -> Vec<Part> {
    let standings = functions.iter().map(|function| (standing::of(function), function.name.as_str()));
    let mut bad: Vec<_> = standings.filter(|(standing, _)| matches!(standing.mark, "bad" | "busy")).collect();
    bad.sort_unstable();
    bad.into_iter().map(|(standing, name)| Part::new(name, standing.word, standing.mark)).collect()
}
