//! The management API, `/system/…`: one module per kind of thing.

pub(crate) mod cancel;
pub(crate) mod dead;
pub(crate) mod functions;
pub(crate) mod info;
pub(crate) mod logs;
pub(crate) mod namespaces;
pub(crate) mod secrets;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::functions::FunctionId;
use crate::problem::Problem;

/// The body as JSON, whatever its content type says: clients differ there.
fn json<T: DeserializeOwned>(body: &Bytes) -> Result<T, Problem> {
    serde_json::from_slice(body)
        .map_err(|error| Problem::Invalid(format!("the body is not the JSON expected: {error}")))
}

/// Parameters of a query; of a repeated one the last holds.
struct Query(Vec<(String, String)>);

impl Query {
    fn of(raw: Option<&str>) -> Self {
        Self(url::form_urlencoded::parse(raw.unwrap_or_default().as_bytes()).into_owned().collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.get(name) {
            None | Some("0" | "false") => Ok(false),
            Some("1" | "true") => Ok(true),
            Some(other) => Err(Problem::Unprocessable(format!("{name}={other} is neither true nor false"))),
        }
    }
}

/// `name` or `name.namespace` with the namespaces named elsewhere, which must not contradict each other.
fn function_id(app: &App, name: &str, namespaces: &[Option<&str>]) -> Result<FunctionId, Problem> {
    let (name, own) = match name.rsplit_once('.') {
        Some((name, namespace)) => (name, Some(namespace)),
        None => (name, None),
    };
    let named: Vec<_> = namespaces.iter().copied().chain([own]).collect();
    Ok(FunctionId::new(name, namespace(app, &named)?))
}

/// The namespace that a request is about: the one it names, else the default one. It has to exist, so that it may
/// become part of a path.
fn namespace(app: &App, named: &[Option<&str>]) -> Result<String, Problem> {
    let mut all = named.iter().copied().flatten().filter(|namespace| !namespace.is_empty());
    let Some(first) = all.next() else { return Ok(app.config.namespace.clone()) };
    if let Some(other) = all.find(|other| *other != first) {
        return Err(Problem::Invalid(format!("the request names two namespaces, {first} and {other}")));
    }
    app.namespaces.get(first)?;
    Ok(first.to_owned())
}

/// Like [`namespace`] for a list: one that does not exist has nothing in it.
fn listed_namespace(app: &App, query: &Query) -> Option<String> {
    let asked = query.get("namespace").unwrap_or(&app.config.namespace);
    app.namespaces.exists(asked).then(|| asked.to_owned())
}
