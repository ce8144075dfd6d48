//! faas-cli templates: what turns a handler's folder into an image.
//!
//! A [`Store`] is one place that has templates, a folder on disk or the `template` folder of a fetched
//! repository. A function's `lang` names a template, perhaps with `@ref` for the state of its repository;
//! `dockerfile` is no template: the handler's folder is the whole context.

mod spec;
mod store;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

pub use store::{Store, Template};

use crate::context::ContextError;

/// The language that needs no template.
pub const DOCKERFILE: &str = "dockerfile";

/// `lang` of a function: a template's name, perhaps with `@ref`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LangRef {
    /// The template's name.
    pub name: String,
    /// The branch, tag or `sha-…` of the template's repository.
    pub reference: Option<String>,
}

impl FromStr for LangRef {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        let (name, reference) = match text.split_once('@') {
            Some((name, reference)) => (name, Some(reference)),
            None => (text, None),
        };
        let name_ok = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let ref_ok = |c: char| name_ok(c) || c == '/';
        let refused = name.is_empty()
            || name.len() > 100
            || name.starts_with('.')
            || !name.chars().all(name_ok)
            || reference.is_some_and(|r| {
                r.is_empty() || r.len() > 200 || r.starts_with(['-', '/']) || r.contains("..") || !r.chars().all(ref_ok)
            });
        if refused {
            let lang = text.chars().filter(|c| !c.is_control()).take(80).collect();
            return Err(TemplateError::BadName { lang });
        }
        Ok(Self { name: name.to_owned(), reference: reference.map(str::to_owned) })
    }
}

impl fmt::Display for LangRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reference {
            Some(reference) => write!(f, "{}@{reference}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// What `lang` turned out to be.
#[derive(Debug, Clone)]
pub enum Language {
    /// The handler brings its own Dockerfile.
    Dockerfile,
    /// A template.
    Template(Arc<Template>),
}

impl Language {
    /// The packages of one of the template's `build_options`.
    ///
    /// # Errors
    /// If it has no option of that name.
    pub fn packages(&self, option: &str) -> Result<Vec<String>, TemplateError> {
        match self {
            Self::Dockerfile => Err(TemplateError::unknown_option(option, DOCKERFILE, Vec::new())),
            Self::Template(template) => template.packages(option),
        }
    }

    /// The process that the template's watchdog starts.
    pub fn fprocess(&self) -> Option<&str> {
        match self {
            Self::Dockerfile => None,
            Self::Template(template) => template.fprocess(),
        }
    }
}

/// Why a template cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// `lang` is no name.
    #[error(
        "lang '{lang}' is not a template's name: use letters, digits, '-', '_' and '.', perhaps with '@' and a branch or tag"
    )]
    BadName {
        /// What is written there.
        lang: String,
    },
    /// No store has it.
    #[error("there is no template '{lang}': available are {available}")]
    Unknown {
        /// What is asked for.
        lang: String,
        /// The names that there are.
        available: String,
    },
    /// The template has no option of that name.
    #[error("the template '{template}' has no build option '{option}': available are {available}")]
    UnknownOption {
        /// What is asked for.
        option: String,
        /// The template.
        template: String,
        /// The names that there are.
        available: String,
    },
    /// The template is broken: its maintainer's matter.
    #[error("the template '{template}' is broken: {problem}")]
    Broken {
        /// The template.
        template: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The template's files could not be read.
    #[error("the template '{template}' could not be read")]
    Unreadable {
        /// The template.
        template: String,
        /// Why.
        #[source]
        cause: Box<ContextError>,
    },
}

impl TemplateError {
    fn unknown_option(option: &str, template: &str, available: Vec<String>) -> Self {
        let option = option.chars().filter(|c| !c.is_control()).take(80).collect();
        Self::UnknownOption { option, template: template.to_owned(), available: listed(available) }
    }
}

/// Finds what `lang` names; the first store that has it wins.
///
/// # Errors
/// If none has it (the error names those that there are), or the template is broken.
pub fn resolve(lang: &str, stores: &[Arc<Store>]) -> Result<Language, TemplateError> {
    if lang.eq_ignore_ascii_case(DOCKERFILE) {
        return Ok(Language::Dockerfile);
    }
    let wanted: LangRef = lang.parse()?;
    for store in
        stores.iter().filter(|store| wanted.reference.is_none() || store.reference() == wanted.reference.as_deref())
    {
        if let Some(template) = store.template(&wanted.name)? {
            return Ok(Language::Template(template));
        }
    }
    let mut available = BTreeSet::from([DOCKERFILE.to_owned()]);
    for store in stores {
        available.extend(store.names()?);
    }
    Err(TemplateError::Unknown { lang: wanted.to_string(), available: listed(available) })
}

fn listed(names: impl IntoIterator<Item = String>) -> String {
    let mut names: Vec<String> = names.into_iter().take(40).collect();
    names.sort();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests;
