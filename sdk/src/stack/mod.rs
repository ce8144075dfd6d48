//! stack.yml: what a repository says about its functions.
//!
//! Reading is three steps: [`substitute`] resolves `${…}` in the raw text as faas-cli does, but from an
//! empty environment, so that nothing of ours can get into a tenant's file; the YAML is read under budgets;
//! then names, paths and numbers are checked. What has been read once is used for the check and for the
//! build alike. Every refusal says where (line and column of the file as it was written), which function,
//! and what to do.

mod build_secrets;
mod check;
mod environment;
mod error;
mod schema;
mod sentence;
pub mod substitute;

use std::collections::BTreeMap;

pub use environment::parse_environment;
pub use error::{Position, StackError};

use crate::gateway::Resources;
use crate::id::FunctionName;
use crate::secrets::SecretRef;

/// Bounds on a stack file.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The file's size, and its size after substitution, in bytes.
    pub max_bytes: usize,
    /// Functions in one stack.
    pub max_functions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes: 512 * 1024, max_functions: 200 }
    }
}

/// A stack file, read and checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stack {
    /// The functions in the file's order.
    pub functions: Vec<Function>,
    /// Where further templates come from (`configuration.templates`).
    pub templates: Vec<TemplateSource>,
    /// Folders and files that are copied into every handler (`configuration.copy`).
    pub copy: Vec<String>,
    /// Things that were ignored, as faas-cli ignores them; one sentence each.
    pub warnings: Vec<String>,
}

/// An entry of `configuration.templates`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateSource {
    /// The template's name.
    pub name: String,
    /// A git URL, perhaps with `#ref`.
    pub source: String,
}

/// One function of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name, unique in the stack.
    pub name: FunctionName,
    /// Where its name stands in the file.
    pub position: Position,
    /// The template's name, perhaps with `@ref`; empty only with `skip_build`.
    pub lang: String,
    /// The handler's folder, relative to the repository; empty only with `skip_build`.
    pub handler: String,
    /// The image's name as written.
    pub image: Option<String>,
    /// The process that the watchdog starts; the template's where unset.
    pub fprocess: Option<String>,
    /// Variables, their values as written (`1.50` stays `1.50`).
    pub environment: BTreeMap<String, String>,
    /// Files with further variables, relative to the repository; the later one wins.
    pub environment_files: Vec<String>,
    /// Names of secrets, without the owner's prefix.
    pub secrets: Vec<String>,
    /// Labels as written.
    pub labels: BTreeMap<String, String>,
    /// Annotations as written.
    pub annotations: BTreeMap<String, String>,
    /// Upper bounds for the container.
    pub limits: Option<Resources>,
    /// What is set aside for the container.
    pub requests: Option<Resources>,
    /// Whether the root file system is read-only; the platform's default where unset.
    pub read_only_root_filesystem: Option<bool>,
    /// The image is there already; nothing is built.
    pub skip_build: bool,
    /// Arguments for the Dockerfile.
    pub build_args: BTreeMap<String, String>,
    /// Names of the template's `build_options`.
    pub build_options: Vec<String>,
    /// What `RUN --mount=type=secret,id=…` gets: by the id, the owner's secret and its key.
    pub build_secrets: BTreeMap<String, SecretRef>,
}

impl Function {
    /// The language without `@ref`.
    pub fn language(&self) -> &str {
        self.lang.split('@').next().unwrap_or_default()
    }

    /// True if the handler's folder is the whole build context (`lang: dockerfile`).
    pub fn is_dockerfile(&self) -> bool {
        self.lang.eq_ignore_ascii_case(crate::template::DOCKERFILE)
    }
}

/// Reads a stack file under the default [`Limits`].
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn parse(text: &str) -> Result<Stack, StackError> {
    parse_within(text, &Limits::default())
}

/// Reads a stack file.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn parse_within(text: &str, limits: &Limits) -> Result<Stack, StackError> {
    if text.len() > limits.max_bytes {
        return Err(StackError::TooLarge { bytes: text.len(), max: limits.max_bytes });
    }
    let resolved = substitute::substitute(text).map_err(StackError::Substitution)?;
    if resolved.text.len() > limits.max_bytes {
        return Err(StackError::TooLarge { bytes: resolved.text.len(), max: limits.max_bytes });
    }
    let raw: schema::RawStack = schema::read(&resolved)?;
    check::check(raw, limits, &resolved)
}

#[cfg(test)]
mod tests;
