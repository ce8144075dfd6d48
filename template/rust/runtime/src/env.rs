//! Where a function's variables and secrets come from.
//!
//! [`Env`] is read once, at start. In a container it holds the process environment and the files of the
//! secret folder; in a test, or where several functions share one process, it is made from maps. A
//! [`Reader`] takes typed values from it and remembers every problem, so that an operator sees all of
//! them at once, each by its variable's name.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::SecretString;

/// Where secrets are mounted unless `secret_mount_path` says otherwise.
pub const DEFAULT_SECRET_MOUNT_PATH: &str = "/var/openfaas/secrets";

/// A larger secret file is taken for a mistake.
const MAX_SECRET_BYTES: u64 = 1024 * 1024;

/// An immutable source of variables and secrets. Cloning is cheap.
#[derive(Clone)]
pub struct Env(Arc<Source>);

struct Source {
    vars: BTreeMap<String, String>,
    secrets: Secrets,
}

enum Secrets {
    Folder(PathBuf),
    Map(BTreeMap<String, SecretString>),
}

impl Env {
    /// The environment of this process, with secrets read from the files below `secret_mount_path`
    /// (default [`DEFAULT_SECRET_MOUNT_PATH`]).
    pub fn from_process() -> Self {
        let vars: BTreeMap<_, _> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let folder = vars.get("secret_mount_path").filter(|path| !path.is_empty());
        let folder = PathBuf::from(folder.map_or(DEFAULT_SECRET_MOUNT_PATH, String::as_str));
        Self(Arc::new(Source {
            vars,
            secrets: Secrets::Folder(folder),
        }))
    }

    /// Variables and secrets given by name; nothing of the process is seen.
    pub fn from_map<K, V, S, T>(
        vars: impl IntoIterator<Item = (K, V)>,
        secrets: impl IntoIterator<Item = (S, T)>,
    ) -> Self
    where
        K: Into<String>,
        V: Into<String>,
        S: Into<String>,
        T: Into<String>,
    {
        let vars = vars
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        let secrets = secrets.into_iter().map(|(name, value)| {
            let value: String = value.into();
            (name.into(), SecretString::from(value.trim()))
        });
        Self(Arc::new(Source {
            vars,
            secrets: Secrets::Map(secrets.collect()),
        }))
    }

    /// The same secrets, and these variables over the ones that are there.
    #[must_use]
    pub fn with_vars(&self, vars: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut all = self.0.vars.clone();
        all.extend(vars);
        let secrets = match &self.0.secrets {
            Secrets::Folder(folder) => Secrets::Folder(folder.clone()),
            Secrets::Map(map) => Secrets::Map(map.clone()),
        };
        Self(Arc::new(Source { vars: all, secrets }))
    }

    /// The variable's value. An empty value counts as unset.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.0
            .vars
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The secret's value without surrounding white space, or `None` where there is no such secret, it is
    /// empty, not UTF-8, or over 1 MiB.
    pub fn secret(&self, name: &str) -> Option<SecretString> {
        use secrecy::ExposeSecret;
        let value = match &self.0.secrets {
            Secrets::Map(map) => map.get(name).cloned(),
            Secrets::Folder(folder) => read_secret(folder, name),
        };
        value.filter(|value| !value.expose_secret().is_empty())
    }

    /// A reader that collects every problem for one report.
    pub fn reader(&self) -> Reader<'_> {
        Reader {
            env: self,
            problems: Mutex::default(),
        }
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values stay out: a variable may well hold something that its author should have made a secret.
        f.debug_struct("Env")
            .field("vars", &self.0.vars.keys())
            .finish_non_exhaustive()
    }
}

fn read_secret(folder: &Path, name: &str) -> Option<SecretString> {
    let plain = !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', '\0']);
    let path = folder.join(plain.then_some(name)?);
    if std::fs::metadata(&path).ok()?.len() > MAX_SECRET_BYTES {
        return None;
    }
    Some(SecretString::from(std::fs::read_to_string(path).ok()?.trim()))
}

/// Takes typed values from an [`Env`] and remembers what was wrong with them.
///
/// Each method returns at once; [`Reader::finish`] tells whether anything was wrong.
#[derive(Debug)]
pub struct Reader<'a> {
    env: &'a Env,
    problems: Mutex<Vec<Problem>>,
}

/// A value that could not be read; the reason is with the [`Reader`].
#[derive(Debug, Clone, Copy)]
pub struct Invalid;

impl Reader<'_> {
    /// The variable's value; missing is a problem.
    pub fn required<T>(&self, name: &str) -> Result<T, Invalid>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        match self.env.var(name) {
            Some(text) => self.parse(name, text),
            None => Err(self.invalid(name, "is not set")),
        }
    }

    /// The variable's value, or `default` where it is unset.
    pub fn or<T>(&self, name: &str, default: T) -> Result<T, Invalid>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        self.env.var(name).map_or(Ok(default), |text| self.parse(name, text))
    }

    /// The variable's value, if it is set.
    pub fn optional<T>(&self, name: &str) -> Result<Option<T>, Invalid>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        self.env.var(name).map(|text| self.parse(name, text)).transpose()
    }

    /// A duration such as `500ms`, `10s`, `1m30s`, `2h` or bare seconds, or `default` where it is unset.
    pub fn duration_or(&self, name: &str, default: Duration) -> Result<Duration, Invalid> {
        self.env.var(name).map_or(Ok(default), |text| {
            parse_duration(text).ok_or_else(|| {
                self.invalid(
                    name,
                    format!("'{text}' is not a duration such as 500ms, 10s, 1m30s or a number of seconds"),
                )
            })
        })
    }

    /// A switch: `true`, `1`, `false` or `0` in any case.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool, Invalid> {
        match self.env.var(name).map(str::to_ascii_lowercase).as_deref() {
            None => Ok(default),
            Some("true" | "1") => Ok(true),
            Some("false" | "0") => Ok(false),
            Some(other) => Err(self.invalid(name, format!("'{other}' is neither true nor false"))),
        }
    }

    /// A comma-separated list; empty parts are dropped.
    pub fn list(&self, name: &str) -> Vec<String> {
        let text = self.env.var(name).unwrap_or_default();
        text.split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// The secret's value; missing is a problem.
    pub fn secret(&self, name: &str) -> Result<SecretString, Invalid> {
        self.env
            .secret(name)
            .ok_or_else(|| self.invalid(name, "is missing: no such secret is mounted"))
    }

    /// The secret's value, if it is there.
    pub fn optional_secret(&self, name: &str) -> Option<SecretString> {
        self.env.secret(name)
    }

    /// Records a problem found by the caller.
    pub fn invalid(&self, name: &str, reason: impl Into<String>) -> Invalid {
        let problem = Problem {
            name: name.to_owned(),
            reason: reason.into(),
        };
        self.problems
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(problem);
        Invalid
    }

    /// All problems so far, as one error.
    ///
    /// # Errors
    /// When any value read was missing or malformed.
    pub fn finish(&self) -> Result<(), ConfigError> {
        let problems = std::mem::take(&mut *self.problems.lock().unwrap_or_else(PoisonError::into_inner));
        if problems.is_empty() {
            Ok(())
        } else {
            Err(ConfigError { problems })
        }
    }

    fn parse<T>(&self, name: &str, text: &str) -> Result<T, Invalid>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        text.trim()
            .parse()
            .map_err(|error| self.invalid(name, format!("'{text}' is not valid: {error}")))
    }
}

/// Parses Go's duration notation (`1h30m`, `90s`, `250ms`), or a bare number of seconds; `None` if it is neither.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let unit_end = tail
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        total = total.checked_add(Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()?)?;
        rest = tail;
    }
    (!text.is_empty()).then_some(total)
}

/// Everything that is wrong with a service's configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the configuration is not usable:{}", self.lines())]
pub struct ConfigError {
    problems: Vec<Problem>,
}

/// One variable or secret, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The variable's or secret's name.
    pub name: String,
    /// The rest of the sentence that begins with the name.
    pub reason: String,
}

impl ConfigError {
    /// An error about one variable or secret.
    pub fn one(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            problems: vec![Problem {
                name: name.into(),
                reason: reason.into(),
            }],
        }
    }

    /// The problems, in the order in which they were met.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    fn lines(&self) -> String {
        self.problems
            .iter()
            .map(|problem| format!("\n  {} {}", problem.name, problem.reason))
            .collect()
    }
}

impl From<Invalid> for ConfigError {
    /// Only reached where a caller used a value before asking [`Reader::finish`].
    fn from(_: Invalid) -> Self {
        Self::one("configuration", "has a value that could not be read")
    }
}

#[cfg(test)]
mod tests;
