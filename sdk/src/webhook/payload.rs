//! Reading a webhook's payload, once its sender is proven.

use std::fmt::Display;
use std::str::FromStr;

use serde::Deserialize;

const MAX_BRANCH: usize = 255;
const MAX_COMPLAINT: usize = 300;

/// What is wrong with a payload, beginning with the field's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(String);

impl Malformed {
    /// The complaint about a field.
    pub fn new(field: &str, complaint: impl Display) -> Self {
        Self(format!("{field}: {complaint}"))
    }
}

/// The part of a payload that `T` is.
///
/// # Errors
/// When the body is not JSON, or a field that `T` needs is missing or of another type.
pub fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Malformed> {
    serde_json::from_slice(body).map_err(|_| whereabouts::<T>(body))
}

/// Which field is wrong, and how. Costs a second reading, which only a malformed payload pays.
fn whereabouts<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Malformed {
    let mut json = serde_json::Deserializer::from_slice(body);
    let complaint = match serde_path_to_error::deserialize::<_, T>(&mut json) {
        Ok(_) => "there is more after the end of the JSON".to_owned(),
        Err(error) if error.path().iter().next().is_none() => error.inner().to_string(),
        Err(error) => format!("{}: {}", error.path(), error.inner()),
    };
    // It may quote the wrong value, which may be as long as the payload.
    Malformed(complaint.chars().take(MAX_COMPLAINT).collect())
}

/// A text field as what it has to be.
///
/// # Errors
/// When it is not.
pub fn field<T>(name: &str, text: &str) -> Result<T, Malformed>
where
    T: FromStr,
    T::Err: Display,
{
    text.parse().map_err(|error| Malformed::new(name, error))
}

/// A host's number of something; never 0.
///
/// # Errors
/// When it is 0.
pub fn number(name: &str, value: u64) -> Result<u64, Malformed> {
    if value == 0 { Err(Malformed::new(name, "must be greater than 0")) } else { Ok(value) }
}

/// A branch's name by git's rules, as far as they matter to who puts it into a reference or a sentence.
///
/// # Errors
/// When git would refuse it, or it has over 255 bytes.
pub fn branch_name(field: &str, name: &str) -> Result<String, Malformed> {
    let forbidden = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c);
    let parts = || name.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock"));
    let shape = !name.starts_with('-') && !name.ends_with('.') && !name.contains("..") && !name.contains("@{");
    if name.len() <= MAX_BRANCH && shape && !name.contains(forbidden) && parts() {
        return Ok(name.to_owned());
    }
    Err(Malformed::new(field, format!("is no branch name that git allows, or is over {MAX_BRANCH} bytes")))
}

/// True for the all-zero commit id by which a push says that a branch was deleted.
pub fn is_zero(sha: &str) -> bool {
    !sha.is_empty() && sha.bytes().all(|b| b == b'0')
}

/// Text of a stranger's for a sentence: without control characters, and cut after `max` characters.
pub fn shown(text: &str, max: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(max).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_git_refuses_are_refused() {
        for name in
            ["", "a b", "a..b", "-a", "a/", "/a", "a//b", ".a", "a/.b", "a.lock", "a@{1", "a\u{7}", "a~1", "a:b"]
        {
            assert!(branch_name("ref", name).is_err(), "{name:?}");
        }
        for name in ["main", "feature/x", "1.0", "über", "a.b-c_d"] {
            assert!(branch_name("ref", name).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn a_complaint_names_the_field_and_is_short() {
        #[derive(Debug, Deserialize)]
        struct Project {
            #[expect(dead_code, reason = "only read")]
            id: u64,
        }
        let complaint = |body: &str| parse::<Project>(body.as_bytes()).unwrap_err().to_string();
        assert!(complaint(r#"{"id": "7"}"#).starts_with("id: invalid type: string"), "{}", complaint(r#"{"id": "7"}"#));
        assert!(complaint(&format!(r#"{{"id": "{}"}}"#, "x".repeat(100_000))).len() < 400);
        assert_eq!(complaint(r#"{"id": 7} x"#), "there is more after the end of the JSON");
    }
}
