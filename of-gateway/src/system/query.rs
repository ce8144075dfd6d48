//! Queries of management requests.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::problem::Problem;

/// Parameters of a query; of a repeated one the last holds.
pub(crate) struct Query(Vec<(String, String)>);

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts.uri.query()))
    }
}

impl Query {
    pub(super) fn of(raw: Option<&str>) -> Self {
        Self(url::form_urlencoded::parse(raw.unwrap_or_default().as_bytes()).into_owned().collect())
    }

    /// A parameter as it is.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A name; an empty one is as good as none.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.value(name).filter(|value| !value.is_empty())
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.value(name) {
            None | Some("0" | "false") => Ok(false),
            Some("1" | "true") => Ok(true),
            Some(other) => Err(Problem::Unprocessable(format!("{name}={other} is neither true nor false"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_of_a_name_holds_and_an_empty_name_is_none() {
        let query = Query::of(Some("a=1&a=2&b=&c=x%20y"));
        assert_eq!((query.get("a"), query.get("b"), query.get("c")), (Some("2"), None, Some("x y")));
        assert!(!query.flag("flag").unwrap() && Query::of(Some("flag=0&flag=1")).flag("flag").unwrap());
        for odd in ["flag=yes", "flag=", "flag"] {
            let sentence = Query::of(Some(odd)).flag("flag").unwrap_err().to_string();
            assert!(sentence.contains("neither true nor false"), "{odd}: {sentence}");
        }
        assert!(Query::of(None).get("a").is_none());
    }
}
