//! Which platform a command is about.
//!
//! `--data` (or `OFC_DATA`) says so; else `.ofc` here or in a folder above; else the platform that this user
//! started last, which is written down in the state folder of the user. So `ofc link` works in any repository.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use sdk::Env;

use crate::data_dir::{DEFAULT, DataDir};
use crate::instance::{self, Record};
use crate::report::Trouble;

/// The option by which a command names its platform.
#[derive(Debug, Clone, Default, Args)]
pub struct Which {
    /// The platform's data directory [default: .ofc here or above, else the platform started last]
    #[arg(long, value_name = "DIR", env = "OFC_DATA", hide_env_values = true)]
    pub data: Option<PathBuf>,
}

impl Which {
    /// The data directory, running or not.
    ///
    /// # Errors
    /// When there is none.
    pub fn data(&self) -> anyhow::Result<DataDir> {
        self.find(&Env::from_process(), &std::env::current_dir()?)
    }

    /// The data directory that is named, or the nearest one, running or not.
    ///
    /// # Errors
    /// When the working directory is gone.
    pub fn here(&self) -> anyhow::Result<Option<DataDir>> {
        self.near(&std::env::current_dir()?)
    }

    /// The running platform.
    ///
    /// # Errors
    /// When none runs.
    pub fn running(&self) -> anyhow::Result<(DataDir, Record)> {
        let data = self.data()?;
        let record = instance::running(&data)?;
        Ok((data, record))
    }

    fn find(&self, env: &Env, here: &Path) -> anyhow::Result<DataDir> {
        let noted =
            || note(env).and_then(|path| fs::read_to_string(path).ok()).map(|path| DataDir::at(Path::new(&path)));
        if let Some(data) = self.near(here)? {
            return Ok(data);
        }
        if let Some(data) = noted().transpose()?.filter(DataDir::exists) {
            return Ok(data);
        }
        Err(Trouble::new("no platform has been started here")
            .hint("start one with `ofc up`, or name its data directory with --data DIR")
            .into())
    }

    fn near(&self, here: &Path) -> anyhow::Result<Option<DataDir>> {
        if let Some(path) = &self.data {
            return DataDir::at(path).map(Some);
        }
        let above: Result<Vec<_>, _> = here.ancestors().map(|folder| DataDir::at(&folder.join(DEFAULT))).collect();
        Ok(above?.into_iter().find(DataDir::exists))
    }
}

/// Writes down that this platform was started last. A convenience: where it cannot be kept, nothing is lost.
pub fn remember(env: &Env, data: &DataDir) {
    let Some(path) = note(env) else { return };
    let write = || {
        fs::create_dir_all(path.parent()?)
            .and_then(|()| fs::write(&path, data.root().to_string_lossy().as_bytes()))
            .ok()
    };
    if write().is_none() {
        tracing::debug!(path = %path.display(), "The platform started last could not be written down");
    }
}

/// Takes the note back, if it is about this platform.
pub fn forget(env: &Env, data: &DataDir) {
    let Some(path) = note(env) else { return };
    if fs::read_to_string(&path).is_ok_and(|text| Path::new(&text) == data.root()) {
        let _ = fs::remove_file(&path);
        // Gone only if nothing else is in it.
        let _ = path.parent().map(fs::remove_dir);
    }
}

fn note(env: &Env) -> Option<PathBuf> {
    let state = env.var("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || Some(PathBuf::from(env.var("HOME")?).join(".local/state"));
    Some(state.or_else(home)?.join("ofc").join("platform"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(state: &Path) -> Env {
        Env::from_map([("XDG_STATE_HOME", state.to_string_lossy())], [] as [(&str, &str); 0])
    }

    fn platform(path: PathBuf) -> DataDir {
        let data = DataDir::create(&path).unwrap();
        drop(instance::Lock::take(&data).unwrap());
        data
    }

    #[test]
    fn nearest_first_then_the_one_started_last() {
        let folder = tempfile::tempdir().unwrap();
        let env = env(&folder.path().join("state"));
        let repository = folder.path().join("work/repository");
        fs::create_dir_all(&repository).unwrap();
        let find = || Which::default().find(&env, &repository);
        assert!(find().unwrap_err().to_string().contains("no platform"));
        let elsewhere = platform(folder.path().join("elsewhere"));
        remember(&env, &elsewhere);
        assert_eq!(find().unwrap(), elsewhere);
        let above = platform(folder.path().join("work/.ofc"));
        assert_eq!(find().unwrap(), above);
        let named = Which { data: Some(elsewhere.root().to_owned()) };
        assert_eq!(named.find(&env, &repository).unwrap(), elsewhere);
    }

    #[test]
    fn only_its_own_note_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let env = env(&folder.path().join("state"));
        let (one, two) = (platform(folder.path().join("one")), platform(folder.path().join("two")));
        remember(&env, &one);
        forget(&env, &two);
        assert!(folder.path().join("state/ofc/platform").exists());
        forget(&env, &one);
        assert!(!folder.path().join("state/ofc").exists());
    }
}
