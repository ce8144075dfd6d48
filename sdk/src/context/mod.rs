//! The build context of one function, as `faas-cli build --shrinkwrap` lays it out: the template's folder,
//! the handler over it in the template's handler folder, and what `configuration.copy` names beside it.
//!
//! Nothing is written to lay it out. A [`Plan`] is a list of paths and of where their content is kept
//! ([`Tree`]: a folder on disk or the objects of a fetched commit); it can be digested without being built
//! and written as a tar of the Function Builder API. The rejected way, copying files into a work folder,
//! follows links of the repository while it writes and costs a checkout for functions that did not change.

mod archive;
mod digest;
mod files;
mod folder;
mod lfs;
mod path;
mod plan;
mod resolve;

mod text;
mod tree;
mod walk;

pub use digest::BuildDigest;
pub use folder::Folder;
pub use lfs::{Pointer, pointed_to};
pub use path::{InvalidPath, RelPath};
pub use plan::{Ingredients, Plan};
pub use resolve::Located;
pub use tree::{Entry, FileEntry, ReadError, Source, Tree};

/// Bounds on one build context.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many files.
    pub max_files: usize,
    /// One file's size in bytes.
    pub max_file_bytes: u64,
    /// All files' size in bytes.
    pub max_total_bytes: u64,
    /// How many folders inside each other.
    pub max_depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_files: 10_000, max_file_bytes: 32 * 1024 * 1024, max_total_bytes: 64 * 1024 * 1024, max_depth: 32 }
    }
}

/// Why a build context cannot be laid out. Each sentence may be shown to whoever pushed the repository,
/// except the cause of [`ContextError::Read`].
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// A path of stack.yml that is no path inside the repository.
    #[error("{what}: {problem}")]
    Path {
        /// Which key.
        what: String,
        /// What is wrong.
        problem: InvalidPath,
    },
    /// Nothing is there.
    #[error("{what}: '{path}' is not in the repository: check the spelling and whether it is committed")]
    Missing {
        /// Which key.
        what: String,
        /// The path.
        path: String,
    },
    /// A file where a folder is needed.
    #[error("{what}: '{path}' is not a folder")]
    NotAFolder {
        /// Which key.
        what: String,
        /// The path.
        path: String,
    },
    /// A link that leads nowhere good.
    #[error("the link '{link}' {problem}: links must stay inside the repository")]
    Link {
        /// The link's path.
        link: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Something that is neither file, folder nor link.
    #[error("'{path}' is {kind}: remove it from the folder or keep it out of the function")]
    Special {
        /// Where.
        path: String,
        /// What it is.
        kind: &'static str,
    },
    /// Another repository's commit, which is not here.
    #[error(
        "'{path}' is a submodule, which is not fetched: put its files into the repository, or ask the platform's operator for allow_submodules (those inside other submodules are never fetched)"
    )]
    Submodule {
        /// Where.
        path: String,
    },
    /// A bound was reached.
    #[error("'{path}': the function has {problem}")]
    TooBig {
        /// Where it was reached.
        path: String,
        /// Which bound.
        problem: String,
    },
    /// A file of the handler lies where the template has a folder, or the other way round.
    #[error(
        "'{path}' is a file in one place and a folder in another (template, handler, configuration.copy): rename it"
    )]
    Clash {
        /// Where.
        path: String,
    },
    /// The Dockerfile is missing.
    #[error("there is no Dockerfile in '{folder}'")]
    NoDockerfile {
        /// The handler's or the template's folder.
        folder: String,
    },
    /// A file that is read as text is too big.
    #[error("'{path}' has {problem}")]
    FileTooBig {
        /// Where.
        path: String,
        /// Its size and the bound.
        problem: String,
    },
    /// A file that is read as text is none.
    #[error("'{path}' is not UTF-8 text")]
    NotText {
        /// Where.
        path: String,
    },
    /// The template does not have what is asked of it.
    #[error(transparent)]
    Template(#[from] crate::template::TemplateError),
    /// The tree itself could not be read.
    #[error("'{path}' could not be read")]
    Read {
        /// Where.
        path: String,
        /// Why.
        #[source]
        cause: ReadError,
    },
}

#[cfg(test)]
mod tests;
