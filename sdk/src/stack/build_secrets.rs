//! `build_secrets`: which of the owner's secrets a build may mount, and under which id.

use std::collections::BTreeMap;

use serde_saphyr::Location;

use super::check::shown;
use super::schema::RawBuildSecrets;
use crate::id::FunctionName;
use crate::secrets::SecretRef;

/// The most build secrets of one function.
const MAX_SECRETS: usize = 32;
const MAX_ID_BYTES: usize = 64;
/// As long as a key of a Kubernetes secret may be.
const MAX_KEY_BYTES: usize = 253;

/// What is wrong, and where.
type Refused = (Location, String);

pub(super) fn check(raw: &RawBuildSecrets) -> Result<BTreeMap<String, SecretRef>, Refused> {
    if let Some((id, _)) = raw.0.get(MAX_SECRETS) {
        let problem = format!("'build_secrets' has {} entries and may have {MAX_SECRETS}", raw.0.len());
        return Err((id.referenced, problem));
    }
    let mut checked = BTreeMap::new();
    for (id, value) in &raw.0 {
        if !is_id(&id.value) {
            let problem = format!(
                "'{}' cannot be the id of a build secret: use at most {MAX_ID_BYTES} letters, digits, '_', '-' and '.', \
                 and begin with a letter, a digit or '_'",
                shown(&id.value)
            );
            return Err((id.referenced, problem));
        }
        let secret = reference(&id.value, &value.value.0).map_err(|problem| (value.referenced, problem))?;
        checked.insert(id.value.clone(), secret);
    }
    Ok(checked)
}

/// The id is a file's name below `/run/secrets` and a value in a Dockerfile's list of options.
fn is_id(id: &str) -> bool {
    is_plain(id, MAX_ID_BYTES) && !id.starts_with(['-', '.'])
}

/// `secret` or `secret/key`.
fn reference(id: &str, value: &str) -> Result<SecretRef, String> {
    let (secret, key) = match value.split_once('/') {
        Some((secret, key)) => (secret, Some(key)),
        None => (value, None),
    };
    let secret: FunctionName = secret.parse().map_err(|_| {
        format!(
            "build secret '{id}': '{}' is not the name of a secret, or of one and its key ('secret/key'): \
             files of a machine cannot be named here",
            shown(value)
        )
    })?;
    if let Some(key) = key.filter(|key| !is_plain(key, MAX_KEY_BYTES) || matches!(*key, "." | "..")) {
        return Err(format!("build secret '{id}': '{}' is not the key of a secret", shown(key)));
    }
    Ok(SecretRef { secret, key: key.map(str::to_owned) })
}

fn is_plain(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use crate::stack::{Function, parse};

    fn function(build_secrets: &str) -> Result<Function, String> {
        let text = format!(
            "provider: {{name: openfaas}}\nfunctions:\n  f:\n    lang: go\n    handler: f\n    build_secrets:{build_secrets}"
        );
        let stack = parse(&text).map_err(|error| error.to_string())?;
        assert!(stack.warnings.is_empty(), "{:?}", stack.warnings);
        Ok(stack.functions.into_iter().next().unwrap())
    }

    #[test]
    fn a_secret_and_one_of_its_keys_can_be_named() {
        let secrets = function("\n      npm_token: npm\n      1.key: tls/server.key_1\n").unwrap().build_secrets;
        assert_eq!(secrets["npm_token"].secret.as_str(), "npm");
        assert_eq!(secrets["npm_token"].key, None);
        assert_eq!(secrets["1.key"].key.as_deref(), Some("server.key_1"));
        assert!(function("\n").unwrap().build_secrets.is_empty());
        assert!(function(" {}\n").unwrap().build_secrets.is_empty());
    }

    #[test]
    fn ids_that_are_no_file_names_or_mean_something_to_buildkit_are_refused_where_they_stand() {
        let long = "x".repeat(65);
        for id in ["'a b'", "a/b", "'..'", "'.netrc'", "'-a'", "'a,required=true'", "'a=b'", "''", "é", long.as_str()]
        {
            let error = function(&format!("\n      ok: npm\n      {id}: npm\n")).unwrap_err();
            assert!(
                error.starts_with("line 8, column 7: function 'f': ") && error.contains("the id of a build secret"),
                "{error}"
            );
        }
    }

    #[test]
    fn what_names_no_secret_is_refused_where_it_stands() {
        for value in ["/etc/passwd", "./npm.txt", "Npm", "a_b", "npm/", "npm/a/b", "npm/..", "npm/a b", "''", "../npm"]
        {
            let error = function(&format!("\n      npm_token: {value}\n")).unwrap_err();
            assert!(error.starts_with("line 7, column 18: function 'f': build secret 'npm_token': "), "{error}");
        }
    }

    #[test]
    fn other_shapes_and_ids_that_are_there_twice_are_refused() {
        for shape in [" [npm]\n", " npm\n", "\n      a: {b: c}\n", "\n      a: npm\n      a: npm\n"] {
            assert!(function(shape).is_err(), "{shape}");
        }
    }

    #[test]
    fn there_may_be_thirty_two() {
        let many = |count| (0..count).map(|n| format!("\n      s{n}: npm")).collect::<String>() + "\n";
        assert_eq!(function(&many(32)).unwrap().build_secrets.len(), 32);
        let error = function(&many(33)).unwrap_err();
        assert_eq!(error, "line 39, column 7: function 'f': 'build_secrets' has 33 entries and may have 32");
    }

    #[test]
    fn nobody_elses_secrets_can_be_named_by_variables() {
        assert!(function("\n      a: ${HOME}\n").is_err());
    }
}
