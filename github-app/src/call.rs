//! One request, before it is sent.

use http::Method;
use serde::Serialize;
use serde_json::Value;

/// What is asked of GitHub. The path's segments are escaped when it is sent.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    pub(crate) operation: &'static str,
    pub(crate) method: Method,
    pub(crate) path: Vec<&'a str>,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) body: Option<Value>,
    pub(crate) repeats: bool,
}

impl<'a> Call<'a> {
    /// A call that may be sent again where no answer came. `operation` is what an error's sentence calls it, such
    /// as "the list of check runs".
    pub fn new(operation: &'static str, method: Method, path: impl IntoIterator<Item = &'a str>) -> Self {
        let path = path.into_iter().collect();
        Self { operation, method, path, query: Vec::new(), body: None, repeats: true }
    }

    /// Marks a call that makes something: it is sent again only where GitHub says that it was not taken.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.repeats = false;
        self
    }

    /// Adds a parameter.
    #[must_use]
    pub fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// Sets the body.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn json(mut self, body: &impl Serialize) -> Result<Self, crate::GithubError> {
        let operation = self.operation;
        let body = serde_json::to_value(body);
        self.body = Some(body.map_err(|cause| crate::GithubError::Malformed { operation, cause })?);
        Ok(self)
    }
}
