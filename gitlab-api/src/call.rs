//! What is asked of GitLab.

use http::Method;
use serde::Serialize;
use serde_json::Value;

/// One request, which may be sent several times.
#[derive(Debug, Clone)]
pub struct Call {
    pub(crate) operation: &'static str,
    pub(crate) method: Method,
    pub(crate) path: Vec<String>,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) body: Option<Value>,
    pub(crate) repeats: bool,
}

impl Call {
    /// Asks for something. `operation` is its name in errors, `path` what follows `/api/v4/`, not yet encoded.
    pub fn get<S: ToString>(operation: &'static str, path: impl IntoIterator<Item = S>) -> Self {
        let path = path.into_iter().map(|segment| segment.to_string()).collect();
        Self { operation, method: Method::GET, path, query: Vec::new(), body: None, repeats: true }
    }

    /// Makes something.
    pub fn post<S: ToString>(operation: &'static str, path: impl IntoIterator<Item = S>) -> Self {
        Self { method: Method::POST, ..Self::get(operation, path) }
    }

    /// Changes something.
    pub fn put<S: ToString>(operation: &'static str, path: impl IntoIterator<Item = S>) -> Self {
        Self { method: Method::PUT, ..Self::get(operation, path) }
    }

    /// Adds a parameter.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    /// Adds the body, as JSON.
    #[must_use]
    pub fn body(mut self, body: impl Serialize) -> Self {
        self.body = serde_json::to_value(body).ok();
        self
    }

    /// Sends it again only where GitLab cannot have acted on it: a second one would not be the same as the first.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.repeats = false;
        self
    }
}
