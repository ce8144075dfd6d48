//! Why a file is not imported, in sentences for its author.

use sdk::id::{Owner, RepoName};

/// The first rule that a file breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// The owner's prefix is missing.
    #[error(
        "the secret {name} must be sealed under the name {owner}-<name>, such as {owner}-db: <name> of lower-case letters, digits and inner hyphens"
    )]
    Name {
        /// What it is called.
        name: String,
        /// Whose it is to be.
        owner: Owner,
    },
    /// It is meant for another place.
    #[error(
        "the secret {name} is sealed for the namespace {found:?}, and functions here are in {wanted}: seal it again with --namespace {wanted}"
    )]
    Namespace {
        /// The secret.
        name: String,
        /// Where it is to be.
        found: String,
        /// Where functions are.
        wanted: String,
    },
    /// Others could use it.
    #[error("the secret {0} has a wider scope than its own name: seal it again in the strict scope")]
    Scope(String),
    /// It has no keys.
    #[error("the secret {0} has no keys: remove it from the file, or seal a value for it")]
    Empty(String),
    /// A key that is no file's name.
    #[error("the key {} of the secret {name} cannot be a file's name: 1 to 128 letters, digits, '-', '_' and '.'", .key.escape_debug())]
    Key {
        /// The secret.
        name: String,
        /// The key.
        key: String,
    },
    /// Two documents.
    #[error("the secret {0} is there twice: one document has all of its keys")]
    Twice(String),
    /// The platform's or another tenant's.
    #[error("the secret {0} would belong to someone else: rename it")]
    Claimed(String),
    /// Another repository's.
    #[error("the secret {name} is held by repository {repo}: rename it or remove it there")]
    Held {
        /// The secret.
        name: String,
        /// Who holds it.
        repo: RepoName,
    },
    /// Somebody made it without us.
    #[error("the secret {0} is there and no repository has made it: whoever did must remove it first, or rename yours")]
    ByHand(String),
    /// So many that something is wrong.
    #[error("an owner may have {0} secrets, all repositories together: remove some")]
    TooMany(usize),
    /// So long that something is wrong.
    #[error("an owner's sealed secrets may have {0} characters, all repositories together: remove some")]
    TooLarge(usize),
}

impl Refusal {
    /// Whether it is about who holds a name, and not about the file itself.
    pub(crate) fn is_conflict(&self) -> bool {
        matches!(self, Self::Claimed(_) | Self::Held { .. } | Self::ByHand(_))
    }
}
