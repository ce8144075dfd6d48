//! Places that have templates.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::TemplateError;
use super::spec::{self, Spec};
use crate::context::{ContextError, Entry, RelPath, Tree};

/// The folder of the handler inside a template that does not say otherwise.
const HANDLER_FOLDER: &str = "function";

/// One place that has templates, at one state. Keep it: what it has read is remembered.
#[derive(Debug)]
pub struct Store {
    tree: Arc<Tree>,
    folder: RelPath,
    reference: Option<String>,
    read: Mutex<HashMap<String, Arc<Template>>>,
}

impl Store {
    /// The templates in `folder` of `tree`; `reference` is what `lang@ref` must say to mean this state.
    pub fn new(tree: Arc<Tree>, folder: RelPath, reference: Option<String>) -> Arc<Self> {
        Arc::new(Self { tree, folder, reference, read: Mutex::default() })
    }

    /// The state's name, if it was asked for by name.
    pub fn reference(&self) -> Option<&str> {
        self.reference.as_deref()
    }

    /// The names of the templates.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn names(&self) -> Result<Vec<String>, TemplateError> {
        let names = self.tree.folders_in(&self.folder).map_err(|cause| unreadable("*", cause))?;
        Ok(names.into_iter().filter(|name| !name.starts_with('.')).collect())
    }

    /// The template of that name.
    ///
    /// # Errors
    /// If it is broken or cannot be read.
    pub fn template(&self, name: &str) -> Result<Option<Arc<Template>>, TemplateError> {
        if let Some(known) = self.known().get(name) {
            return Ok(Some(Arc::clone(known)));
        }
        let broken = |problem: String| TemplateError::Broken { template: name.to_owned(), problem };
        let Ok(folder) = self.folder.join(name) else { return Ok(None) };
        let located = self.tree.locate(&folder).map_err(|cause| unreadable(name, cause))?;
        let Some(folder) = located.filter(|located| located.entry == Entry::Folder).map(|located| located.path) else {
            return Ok(None);
        };
        let spec = self.spec(name, &folder)?;
        let handler = spec.handler_folder.as_deref().filter(|folder| !folder.is_empty()).unwrap_or(HANDLER_FOLDER);
        let handler_folder = handler.parse().map_err(|error| broken(format!("handler_folder: {error}")))?;
        let template = Template { name: name.to_owned(), tree: Arc::clone(&self.tree), folder, handler_folder, spec };
        let template = Arc::new(template);
        self.known().insert(name.to_owned(), Arc::clone(&template));
        Ok(Some(template))
    }

    fn spec(&self, name: &str, folder: &RelPath) -> Result<Spec, TemplateError> {
        let broken = |problem: String| TemplateError::Broken { template: name.to_owned(), problem };
        let path = folder.join("template.yml").map_err(|error| broken(error.to_string()))?;
        let content = self.tree.read_text(&path, spec::MAX_BYTES).map_err(|cause| unreadable(name, cause))?;
        spec::read(&content.unwrap_or_default()).map_err(broken)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Template>>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unreadable(template: &str, cause: ContextError) -> TemplateError {
    TemplateError::Unreadable { template: template.to_owned(), cause: Box::new(cause) }
}

/// One template.
#[derive(Debug)]
pub struct Template {
    name: String,
    tree: Arc<Tree>,
    folder: RelPath,
    handler_folder: RelPath,
    spec: Spec,
}

impl Template {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The tree that has its files.
    pub fn tree(&self) -> &Arc<Tree> {
        &self.tree
    }

    /// Its folder in the tree.
    pub fn folder(&self) -> &RelPath {
        &self.folder
    }

    /// Where the handler goes, inside the template.
    pub fn handler_folder(&self) -> &RelPath {
        &self.handler_folder
    }

    /// The process that its watchdog starts, where template.yml says so.
    pub fn fprocess(&self) -> Option<&str> {
        self.spec.fprocess.as_deref().filter(|process| !process.is_empty())
    }

    pub(super) fn packages(&self, option: &str) -> Result<Vec<String>, TemplateError> {
        let options = self.spec.build_options.as_deref().unwrap_or_default();
        match options.iter().find(|known| known.name == option) {
            Some(known) => Ok(known.packages.clone().unwrap_or_default()),
            None => {
                let available = options.iter().map(|known| known.name.clone()).collect();
                Err(TemplateError::unknown_option(option, &self.name, available))
            }
        }
    }
}
