//! The management API, `/system/…`: one module per kind of thing.

pub(crate) mod dead;
pub(crate) mod functions;
pub(crate) mod info;
pub(crate) mod logs;
pub(crate) mod secrets;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::app::App;
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

/// `name` or `name.namespace` with the namespaces named elsewhere; all must be the one there is.
fn plain_name<'a>(app: &App, name: &'a str, namespaces: &[Option<&str>]) -> Result<&'a str, Problem> {
    let (name, own) = match name.rsplit_once('.') {
        Some((name, namespace)) => (name, Some(namespace)),
        None => (name, None),
    };
    for namespace in namespaces.iter().chain([&own]).flatten().filter(|namespace| !namespace.is_empty()) {
        if *namespace != app.config.namespace {
            return Err(Problem::Missing(format!("the namespace {namespace} does not exist")));
        }
    }
    Ok(name)
}
