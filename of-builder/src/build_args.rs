//! Which build arguments a caller may set, and which the operator sets for everybody.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sdk::{Invalid, Reader};

const MAX_ARGUMENTS: usize = 64;
const MAX_VALUE_BYTES: usize = 8 * 1024;
const PROXIES: [&str; 3] = ["http_proxy", "https_proxy", "no_proxy"];
/// Arguments of this family steer BuildKit itself: `BUILDKIT_SYNTAX` even names the program that reads the Dockerfile.
const RESERVED: &str = "BUILDKIT_";

/// The rules on build arguments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildArgs {
    /// The names that a caller may set; `*` stands for every name.
    pub allowed: BTreeSet<String>,
    /// Set on every build; a caller cannot replace them.
    pub operator: BTreeMap<String, String>,
}

/// Why a caller's build arguments were refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BuildArgsError {
    /// Not on the operator's list.
    #[error("the build argument {0} is not allowed here: the operator lists the allowed ones in build_args")]
    NotAllowed(String),
    /// The operator's own.
    #[error("the build argument {0} is set by the operator and cannot be replaced")]
    Operator(String),
    /// Not a name.
    #[error("'{0}' is not the name of a build argument: use letters, digits and _, and begin with a letter or _")]
    Name(String),
    /// Too long.
    #[error("the value of the build argument {0} is longer than {MAX_VALUE_BYTES} bytes or holds a NUL byte")]
    Value(String),
    /// Too many.
    #[error("there are {0} build arguments, and at most {MAX_ARGUMENTS} are accepted")]
    Count(usize),
}

impl BuildArgs {
    pub(crate) fn from_reader(r: &Reader<'_>) -> Result<Self, Invalid> {
        let mut operator = BTreeMap::new();
        for pair in r.list("operator_build_args") {
            match pair.split_once('=') {
                Some((name, value)) if is_name(name) => operator.insert(name.to_owned(), value.to_owned()),
                _ => return Err(r.invalid("operator_build_args", format!("'{pair}' is not of the form NAME=value"))),
            };
        }
        for name in PROXIES {
            if let Some(value) = r.optional::<String>(name)? {
                operator.insert(name.to_owned(), value);
            }
        }
        Ok(Self { allowed: r.list("build_args").into_iter().collect(), operator })
    }

    /// The arguments of one build: the caller's, if all are allowed, and the operator's.
    pub(crate) fn admit(&self, asked: BTreeMap<String, String>) -> Result<HashMap<String, String>, BuildArgsError> {
        if asked.len() > MAX_ARGUMENTS {
            return Err(BuildArgsError::Count(asked.len()));
        }
        for (name, value) in &asked {
            self.check(name, value)?;
        }
        Ok(asked.into_iter().chain(self.operator.clone()).collect())
    }

    fn check(&self, name: &str, value: &str) -> Result<(), BuildArgsError> {
        if !is_name(name) {
            return Err(BuildArgsError::Name(name.chars().take(64).collect()));
        }
        if self.operator.contains_key(name) {
            return Err(BuildArgsError::Operator(name.to_owned()));
        }
        let listed = self.allowed.contains(name) || self.allowed.contains("*");
        if !listed || name.to_ascii_uppercase().starts_with(RESERVED) {
            return Err(BuildArgsError::NotAllowed(name.to_owned()));
        }
        if value.len() > MAX_VALUE_BYTES || value.contains('\0') {
            return Err(BuildArgsError::Value(name.to_owned()));
        }
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use sdk::Env;

    use super::*;

    const NO_SECRETS: [(&str, &str); 0] = [];

    fn rules(vars: &[(&str, &str)]) -> BuildArgs {
        let env = Env::from_map(vars.iter().copied(), NO_SECRETS);
        BuildArgs::from_reader(&env.reader()).ok().unwrap_or_default()
    }

    fn asked(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn listed_arguments_pass_and_the_operators_are_added() {
        let rules = rules(&[
            ("build_args", "GO111MODULE, ADDITIONAL_PACKAGE"),
            ("operator_build_args", "RUST_IMAGE=rust:1.95,BASE_IMAGE=debian:bookworm-slim"),
            ("http_proxy", "http://proxy:3128"),
        ]);
        let args = rules.admit(asked(&[("GO111MODULE", "on")])).unwrap();
        assert_eq!(args.len(), 4);
        assert_eq!(args["RUST_IMAGE"], "rust:1.95");
        assert_eq!(args["http_proxy"], "http://proxy:3128");
        assert_eq!(args["GO111MODULE"], "on");
    }

    #[test]
    fn an_unlisted_argument_is_refused_by_its_name() {
        let error = rules(&[("build_args", "A")]).admit(asked(&[("SURPRISE", "1")])).unwrap_err();
        assert_eq!(error, BuildArgsError::NotAllowed("SURPRISE".to_owned()));
        assert!(error.to_string().contains("SURPRISE"));
    }

    #[test]
    fn the_star_allows_every_name_but_those_that_steer_buildkit() {
        let rules = rules(&[("build_args", "*")]);
        assert!(rules.admit(asked(&[("ANY_1", "x")])).is_ok());
        let error = rules.admit(asked(&[("BUILDKIT_SYNTAX", "evil/frontend")])).unwrap_err();
        assert_eq!(error, BuildArgsError::NotAllowed("BUILDKIT_SYNTAX".to_owned()));
    }

    #[test]
    fn the_operators_arguments_cannot_be_replaced() {
        let rules = rules(&[("build_args", "*"), ("operator_build_args", "BASE_IMAGE=debian")]);
        let error = rules.admit(asked(&[("BASE_IMAGE", "mine")])).unwrap_err();
        assert_eq!(error, BuildArgsError::Operator("BASE_IMAGE".to_owned()));
    }

    #[test]
    fn bad_names_long_values_and_too_many_are_refused() {
        let rules = rules(&[("build_args", "*")]);
        assert!(matches!(rules.admit(asked(&[("A-B", "")])), Err(BuildArgsError::Name(_))));
        assert!(matches!(rules.admit(asked(&[("A", "\0")])), Err(BuildArgsError::Value(_))));
        let many = (0..65).map(|n| (format!("A{n}"), String::new())).collect();
        assert_eq!(rules.admit(many), Err(BuildArgsError::Count(65)));
    }
}
