//! What goes into one function's image, laid out but not written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::files::Layers;
use super::lfs::Pointer;
use super::path::RelPath;
use super::resolve::unreadable;
use super::tree::{Entry, Tree};
use super::walk::size;
use super::{ContextError, Limits};
use crate::secrets::SecretRef;
use crate::template::Language;

/// The build argument by which a template gets the packages of the chosen `build_options`.
const ADDITIONAL_PACKAGE: &str = "ADDITIONAL_PACKAGE";

/// What is built.
const DOCKERFILE: &str = "Dockerfile";

/// What a plan is made from.
#[derive(Debug)]
pub struct Ingredients<'a> {
    /// The repository.
    pub repository: &'a Arc<Tree>,
    /// The template, or the handler's own Dockerfile.
    pub language: &'a Language,
    /// `handler` of the function.
    pub handler: &'a str,
    /// `configuration.copy` of the stack.
    pub copy: &'a [String],
    /// `build_args` of the function.
    pub build_args: &'a BTreeMap<String, String>,
    /// `build_options` of the function.
    pub build_options: &'a [String],
    /// `build_secrets` of the function.
    pub build_secrets: &'a BTreeMap<String, SecretRef>,
    /// The bounds.
    pub limits: &'a Limits,
}

/// One function's build context: paths and where their content is kept.
#[derive(Debug, Clone)]
pub struct Plan {
    pub(super) layers: Layers,
    pub(super) template: String,
    pub(super) build_args: BTreeMap<String, String>,
    pub(super) build_secrets: BTreeMap<String, SecretRef>,
    /// The same secrets with their values, as only the builder can open them.
    pub(super) sealed: Option<String>,
    pub(super) no_cache: bool,
}

impl Plan {
    /// Lays a context out.
    ///
    /// # Errors
    /// For paths and links that leave the repository, things that are missing, and bounds that are reached.
    pub fn lay_out(from: &Ingredients<'_>) -> Result<Self, ContextError> {
        let (handler, handler_files) = handler_files(from)?;
        let mut layers = Layers::default();
        let (template, overlay) = match from.language {
            Language::Dockerfile => (crate::template::DOCKERFILE.to_owned(), RelPath::root()),
            Language::Template(template) => {
                let files = template.tree().template_files(template.folder(), from.limits)?;
                layers.lay(template.tree(), template.folder(), &RelPath::root(), &files);
                (template.name().to_owned(), template.handler_folder().clone())
            }
        };
        layers.lay(from.repository, &handler, &overlay, &handler_files);
        for path in from.copy {
            let path: RelPath = parse(path, "configuration.copy")?;
            let files = from.repository.extra(&path, from.limits)?;
            layers.lay(from.repository, &path, &overlay.below(&path), &files);
        }
        layers.check_shape()?;
        let plan = Self {
            layers,
            template,
            build_args: build_args(from)?,
            build_secrets: from.build_secrets.clone(),
            sealed: None,
            no_cache: false,
        };
        plan.check_dockerfile(from.language, &handler)?;
        plan.check_size(from.limits, &handler)?;
        Ok(plan)
    }

    /// The same plan, to be built without anything that an earlier build left behind.
    #[must_use]
    pub fn anew(self) -> Self {
        Self { no_cache: true, ..self }
    }

    /// The same plan with the values of its build secrets: the file that [`crate::secrets::ForBuild`] carries.
    #[must_use]
    pub fn with_sealed(self, file: String) -> Self {
        Self { sealed: Some(file), ..self }
    }

    /// Which secrets the build mounts, by the ids that the Dockerfile uses.
    pub fn build_secrets(&self) -> &BTreeMap<String, SecretRef> {
        &self.build_secrets
    }

    /// The path of the Dockerfile in `repository`; `None` where it comes from elsewhere.
    ///
    /// # Errors
    /// If the repository cannot be read.
    pub fn dockerfile(&self, repository: &Arc<Tree>) -> Result<Option<String>, ContextError> {
        let planned = self.layers.files.iter().find(|(path, _)| path.as_str() == DOCKERFILE).map(|(_, file)| file);
        let Some(planned) = planned.filter(|planned| Arc::ptr_eq(&planned.tree, repository)) else { return Ok(None) };
        Ok(repository.locate(&planned.origin)?.map(|located| located.path.to_string()))
    }

    /// The files of `repository` among these that are only Git LFS pointers, in the order of their paths.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn lfs_pointers(&self, repository: &Arc<Tree>) -> Result<Vec<Pointer>, ContextError> {
        let mut pointers = Vec::new();
        for planned in self.layers.files.values().filter(|planned| Arc::ptr_eq(&planned.tree, repository)) {
            let unreadable = |cause| unreadable(&planned.origin, cause);
            if let Some(bytes) = planned.tree.pointed_to(&planned.file).map_err(unreadable)? {
                pointers.push(Pointer { path: planned.origin.to_string(), bytes });
            }
        }
        Ok(pointers)
    }

    /// The build arguments.
    pub fn build_args(&self) -> &BTreeMap<String, String> {
        &self.build_args
    }

    /// The paths in their order; for people and tests.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.layers.files.keys().map(RelPath::as_str)
    }

    /// The size of all files in bytes.
    pub fn bytes(&self) -> u64 {
        self.layers.files.values().map(|planned| planned.file.size).sum()
    }

    fn check_dockerfile(&self, language: &Language, handler: &RelPath) -> Result<(), ContextError> {
        let found = self.layers.files.keys().any(|path| path.as_str() == DOCKERFILE);
        let folder = match language {
            Language::Dockerfile => handler.to_string(),
            Language::Template(template) => template.folder().to_string(),
        };
        if found { Ok(()) } else { Err(ContextError::NoDockerfile { folder }) }
    }

    /// The bounds hold for all layers together too.
    fn check_size(&self, limits: &Limits, handler: &RelPath) -> Result<(), ContextError> {
        let too_big = |problem| Err(ContextError::TooBig { path: handler.to_string(), problem });
        if self.layers.files.len() > limits.max_files {
            return too_big(format!("{} files and may have {}", self.layers.files.len(), limits.max_files));
        }
        if self.bytes() > limits.max_total_bytes {
            return too_big(format!(
                "{} in its files and may have {}",
                size(self.bytes()),
                size(limits.max_total_bytes)
            ));
        }
        Ok(())
    }
}

fn handler_files(from: &Ingredients<'_>) -> Result<(RelPath, Arc<super::files::FileSet>), ContextError> {
    let what = || "handler".to_owned();
    let path = parse(from.handler, "handler")?;
    let missing = || ContextError::Missing { what: what(), path: path.to_string() };
    let located = from.repository.locate(&path)?.ok_or_else(missing)?;
    match located.entry {
        Entry::Folder => {}
        Entry::Submodule => return Err(ContextError::Submodule { path: path.to_string() }),
        _ => return Err(ContextError::NotAFolder { what: what(), path: path.to_string() }),
    }
    let files = from.repository.files_below(&located.path, true, from.limits)?;
    Ok((path, files))
}

fn parse(path: &str, what: &str) -> Result<RelPath, ContextError> {
    path.parse().map_err(|problem| ContextError::Path { what: what.to_owned(), problem })
}

/// The stack's arguments, and the packages of the chosen options, sorted and each once.
fn build_args(from: &Ingredients<'_>) -> Result<BTreeMap<String, String>, ContextError> {
    let mut args = from.build_args.clone();
    let mut packages = BTreeSet::new();
    for option in from.build_options {
        packages.extend(from.language.packages(option)?);
    }
    if !packages.is_empty() {
        let given = args.remove(ADDITIONAL_PACKAGE).unwrap_or_default();
        packages.extend(given.split_whitespace().map(str::to_owned));
        args.insert(ADDITIONAL_PACKAGE.to_owned(), Vec::from_iter(packages).join(" "));
    }
    Ok(args)
}
