//! The namespaces functions and secrets live in. They are kept in one small file, because an empty namespace exists
//! too, and the engine has nothing to write it on.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::functions::valid_name;

const FILE: &str = "namespaces.json";
/// Names that mean something to OpenFaaS or Kubernetes, and belong to no functions.
const RESERVED: [&str; 5] = ["openfaas", "kube-system", "kube-public", "kube-node-lease", "none"];

/// What a namespace carries besides its name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marks {
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) annotations: BTreeMap<String, String>,
}

/// Why a namespace cannot be kept, changed or taken away.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NamespaceError {
    #[error("the namespace {0} does not exist; create it first")]
    Missing(String),
    #[error("the namespace {0} exists already")]
    Exists(String),
    #[error("\"{0}\" cannot name a namespace: lower-case letters, digits and inner hyphens, at most 63")]
    Name(String),
    #[error("the name {0} is reserved; choose another one")]
    Reserved(String),
    #[error("the namespace {0} is where functions go that name none; it cannot be deleted")]
    Default(String),
    #[error("the namespace {0} still has functions or secrets; remove them first")]
    NotEmpty(String),
    #[error("something is being deployed into the namespace {0}; wait until that is done")]
    Busy(String),
    #[error("cannot read or write {}", .path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{} is not what this gateway wrote ({detail}); put a copy back, or delete it to go on without the labels and annotations in it", .path.display())]
    Damaged { path: PathBuf, detail: String },
}

pub(crate) struct Namespaces {
    file: PathBuf,
    default: String,
    all: RwLock<BTreeMap<String, Marks>>,
    /// Changing and writing belong together.
    writing: Mutex<()>,
    /// How many changes are under way in a namespace; it cannot go meanwhile.
    busy: Mutex<BTreeMap<String, usize>>,
}

/// Keeps a namespace from being deleted until it is dropped.
pub(crate) struct Stay {
    app: Arc<App>,
    name: String,
}

impl Stay {
    /// Fails if there is no such namespace.
    pub(crate) fn begin(app: &Arc<App>, name: &str) -> Result<Self, NamespaceError> {
        let mut busy = app.namespaces.busy();
        app.namespaces.get(name)?;
        *busy.entry(name.to_owned()).or_default() += 1;
        Ok(Self { app: Arc::clone(app), name: name.to_owned() })
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        let mut busy = self.app.namespaces.busy();
        if let Some(count) = busy.get_mut(&self.name) {
            *count -= 1;
        }
        busy.retain(|_, count| *count > 0);
    }
}

impl Namespaces {
    /// Reads the file, if there is one. The default namespace exists in any case.
    pub(crate) fn open(data_dir: &Path, default: &str) -> Result<Self, NamespaceError> {
        let file = data_dir.join(FILE);
        let mut all: BTreeMap<String, Marks> = match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| NamespaceError::Damaged { path: file.clone(), detail: error.to_string() })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(source) => return Err(NamespaceError::Io { path: file, source }),
        };
        if let Some(bad) = all.keys().find(|name| !valid_name(name)) {
            return Err(NamespaceError::Damaged { detail: format!("\"{bad}\" is no name"), path: file });
        }
        all.entry(default.to_owned()).or_default();
        Ok(Self {
            file,
            default: default.to_owned(),
            all: RwLock::new(all),
            writing: Mutex::default(),
            busy: Mutex::default(),
        })
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.read().keys().cloned().collect()
    }

    pub(crate) fn get(&self, name: &str) -> Result<Marks, NamespaceError> {
        self.read().get(name).cloned().ok_or_else(|| NamespaceError::Missing(name.to_owned()))
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        self.read().contains_key(name)
    }

    pub(crate) fn create(&self, name: &str, marks: Marks) -> Result<(), NamespaceError> {
        if !valid_name(name) {
            return Err(NamespaceError::Name(name.to_owned()));
        }
        if RESERVED.contains(&name) {
            return Err(NamespaceError::Reserved(name.to_owned()));
        }
        let _writing = self.lock();
        if self.exists(name) {
            return Err(NamespaceError::Exists(name.to_owned()));
        }
        self.change(|all| drop(all.insert(name.to_owned(), marks)))
    }

    pub(crate) fn update(&self, name: &str, marks: Marks) -> Result<(), NamespaceError> {
        let _writing = self.lock();
        self.get(name)?;
        self.change(|all| drop(all.insert(name.to_owned(), marks)))
    }

    /// Takes a namespace away that is empty and stays so.
    pub(crate) fn delete(&self, name: &str, is_empty: impl FnOnce() -> bool) -> Result<(), NamespaceError> {
        let _writing = self.lock();
        // Held until it is gone, so that nothing is begun in it between the look and the deletion.
        let busy = self.busy();
        self.get(name)?;
        if name == self.default {
            return Err(NamespaceError::Default(name.to_owned()));
        }
        if busy.contains_key(name) {
            return Err(NamespaceError::Busy(name.to_owned()));
        }
        if !is_empty() {
            return Err(NamespaceError::NotEmpty(name.to_owned()));
        }
        self.change(|all| drop(all.remove(name)))
    }

    /// Makes a namespace that containers of before are in and the file does not know, for example because somebody
    /// deleted the file.
    pub(crate) fn ensure(&self, name: &str) {
        if !self.exists(name) && valid_name(name) {
            self.all.write().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default();
        }
    }

    /// What is on the disk first, then in memory: a change that could not be kept did not happen.
    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, Marks>)) -> Result<(), NamespaceError> {
        let mut all = self.read().clone();
        change(&mut all);
        self.write(&all).map_err(|source| NamespaceError::Io { path: self.file.clone(), source })?;
        *self.all.write().unwrap_or_else(PoisonError::into_inner) = all;
        Ok(())
    }

    fn write(&self, all: &BTreeMap<String, Marks>) -> std::io::Result<()> {
        let dir = self.file.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        file.write_all(&serde_json::to_vec_pretty(all)?)?;
        file.as_file().sync_all()?;
        file.persist(&self.file)?;
        std::fs::File::open(dir)?.sync_all()
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn busy(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<String, Marks>> {
        self.all.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_are_kept_over_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let marks = Marks { labels: BTreeMap::from([("team".into(), "blue".into())]), ..Marks::default() };
        let namespaces = Namespaces::open(dir.path(), "openfaas-fn").unwrap();
        namespaces.create("staging", marks.clone()).unwrap();
        assert!(matches!(namespaces.create("staging", Marks::default()), Err(NamespaceError::Exists(_))));
        let again = Namespaces::open(dir.path(), "openfaas-fn").unwrap();
        assert_eq!((again.names(), again.get("staging").unwrap()), (namespaces.names(), marks));
        again.update("staging", Marks::default()).unwrap();
        assert!(matches!(again.delete("staging", || false), Err(NamespaceError::NotEmpty(_))));
        again.delete("staging", || true).unwrap();
        assert!(matches!(again.delete("staging", || true), Err(NamespaceError::Missing(_))));
        assert_eq!(Namespaces::open(dir.path(), "openfaas-fn").unwrap().names(), ["openfaas-fn"]);
    }

    #[test]
    fn the_default_one_stays_and_odd_names_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let namespaces = Namespaces::open(dir.path(), "openfaas-fn").unwrap();
        assert!(matches!(namespaces.delete("openfaas-fn", || true), Err(NamespaceError::Default(_))));
        for bad in ["", "A", "a.b", "../x", "a b"] {
            assert!(matches!(namespaces.create(bad, Marks::default()), Err(NamespaceError::Name(_))), "{bad}");
        }
        assert!(matches!(namespaces.create("kube-system", Marks::default()), Err(NamespaceError::Reserved(_))));
    }

    #[test]
    fn a_damaged_file_is_named_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        for damaged in ["nonsense", "{\"../x\":{}}"] {
            std::fs::write(dir.path().join(FILE), damaged).unwrap();
            let refused = Namespaces::open(dir.path(), "openfaas-fn").err().unwrap().to_string();
            assert!(refused.contains(FILE), "{refused}");
            assert_eq!(std::fs::read_to_string(dir.path().join(FILE)).unwrap(), damaged);
        }
    }
}
