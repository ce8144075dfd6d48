//! Environment files: `environment:` and a mapping, as in a function of the stack file.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::error::StackError;
use super::schema::{self, Text};
use super::substitute::Substituted;

#[derive(Deserialize)]
struct RawEnvironment {
    #[serde(default)]
    environment: Option<BTreeMap<String, Text>>,
}

/// Reads an environment file. `${…}` is not resolved in it, as faas-cli does not either.
///
/// # Errors
/// If it is not YAML of that shape.
pub fn parse_environment(text: &str) -> Result<BTreeMap<String, String>, StackError> {
    let raw: Option<RawEnvironment> = schema::read(&Substituted::unchanged(text))?;
    let variables = raw.and_then(|raw| raw.environment).unwrap_or_default();
    Ok(variables.into_iter().map(|(name, Text(value))| (name, value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_text_and_dollars() {
        let read = parse_environment("environment:\n  a: 1.50\n  b: ${HOME}\n  c:\n").unwrap();
        assert_eq!((read["a"].as_str(), read["b"].as_str(), read["c"].as_str()), ("1.50", "${HOME}", ""));
        assert!(parse_environment("").unwrap().is_empty());
        let error = parse_environment("environment:\n  a: [1]\n").unwrap_err().to_string();
        assert!(error.starts_with("line 2, column 6: "), "{error}");
    }
}
