//! Parameters of a query or a form: each at most once, so that nobody reads another one than we do.

use std::collections::BTreeMap;

use http::{HeaderMap, header};

/// More are no honest request.
const MAX: usize = 32;

/// Names and values, decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Parameters(BTreeMap<String, String>);

/// Text that is read in more than one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a parameter comes more than once, or there are too many of them")]
pub(crate) struct Ambiguous;

impl Parameters {
    /// Reads `a=1&b=2`.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Ambiguous> {
        let mut found = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(text) {
            if found.len() == MAX || found.insert(name.into_owned(), value.into_owned()).is_some() {
                return Err(Ambiguous);
            }
        }
        Ok(Self(found))
    }

    /// Reads an object of texts.
    pub(crate) fn parse_json(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok().map(Self)
    }

    /// A value that is there and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The same without one of them, as a query.
    pub(crate) fn query_without(&self, name: &str) -> String {
        self.query_without_all(&[name])
    }

    /// The same without some of them, as a query.
    pub(crate) fn query_without_all(&self, names: &[&str]) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.0.iter().filter(|(key, _)| !names.contains(&key.as_str())));
        query.finish()
    }
}

/// True if a body is of this type, whatever its parameters.
pub(crate) fn is_type(headers: &HeaderMap, wanted: &str) -> bool {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    given.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_twice_is_refused_and_empty_is_nothing() {
        let read = Parameters::parse(b"state=a%26b&scope=&code=x+y").unwrap();
        assert_eq!((read.get("state"), read.get("scope"), read.get("code")), (Some("a&b"), None, Some("x y")));
        assert_eq!(read.query_without("code"), "scope=&state=a%26b");
        assert_eq!(Parameters::parse(b"a=1&%61=2"), Err(Ambiguous));
        let many: String = (0..=MAX).map(|n| format!("{n}=1&")).collect();
        assert_eq!(Parameters::parse(many.as_bytes()), Err(Ambiguous));
    }

    #[test]
    fn json_has_to_be_an_object_of_texts() {
        assert_eq!(Parameters::parse_json(br#"{"code":"a"}"#).unwrap().get("code"), Some("a"));
        for wrong in ["", "[]", "{\"code\":1}", "{\"code\":[\"a\"]}", "\"code\""] {
            assert_eq!(Parameters::parse_json(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
