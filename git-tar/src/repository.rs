//! The pushed commit: fetched into a private folder, and its stack file and sealed secrets found.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sdk::context::{RelPath, Tree, pointed_to};
use sdk::secrets::{MAX_FILE_BYTES, SealedFile};
use sdk::stack::{self, Stack, StackError};
use tempfile::TempDir;

use crate::problem::Problem;

/// Names that the stack file may have.
const STACK_FILES: [&str; 2] = ["stack.yml", "stack.yaml"];
/// Names of the file with sealed secrets.
const SECRET_FILES: [&str; 2] = ["secrets.yml", "secrets.yaml"];

/// Where commits are kept while they are deployed.
#[derive(Debug, Clone)]
pub(crate) struct WorkFolders {
    base: PathBuf,
}

impl WorkFolders {
    /// Work folders in `base`. Those that a killed process left behind are removed.
    pub(crate) fn new(base: Option<PathBuf>) -> std::io::Result<Self> {
        let base = base.unwrap_or_else(std::env::temp_dir);
        fs::create_dir_all(&base)?;
        for left in fs::read_dir(&base)?.flatten() {
            if left.file_name().to_str().and_then(process_of).is_some_and(|process| !is_alive(process)) {
                tracing::info!(folder = %left.path().display(), "Removing what a killed run left behind");
                let _ = fs::remove_dir_all(left.path());
            }
        }
        Ok(Self { base })
    }

    /// A new empty folder that only this user can enter; removed when dropped.
    pub(crate) fn create(&self) -> Result<TempDir, Problem> {
        let prefix = format!("git-tar-{}-", std::process::id());
        tempfile::Builder::new().prefix(&prefix).tempdir_in(&self.base).map_err(Problem::Machine)
    }

    /// The folder that holds them.
    pub(crate) fn base(&self) -> &Path {
        &self.base
    }
}

/// The process that made a work folder of this name.
fn process_of(name: &str) -> Option<u32> {
    name.strip_prefix("git-tar-")?.split('-').next()?.parse().ok()
}

fn is_alive(process: u32) -> bool {
    Path::new("/proc").join(process.to_string()).exists()
}

/// What a commit has for us.
#[derive(Debug)]
pub(crate) struct Found {
    /// A stack and its file's name.
    pub(crate) stack: Option<(&'static str, Box<Stack>)>,
    /// Sealed secrets, as they are.
    pub(crate) sealed: Option<SealedFile>,
}

/// Finds and reads the stack file and the file of sealed secrets at the root of the commit.
pub(crate) fn find(tree: &Arc<Tree>, limits: &stack::Limits) -> Result<Found, Problem> {
    Ok(Found { stack: find_stack(tree, limits)?, sealed: find_sealed(tree)? })
}

/// The stack file of the commit, for what needs no secrets' values.
pub(crate) fn find_stack(
    tree: &Arc<Tree>,
    limits: &stack::Limits,
) -> Result<Option<(&'static str, Box<Stack>)>, Problem> {
    let Some((name, text)) = only_one(tree, STACK_FILES, limits.max_bytes)? else { return Ok(None) };
    let stack = stack::parse_within(&text, limits);
    let stack =
        stack.map_err(|problem| Problem::Stack { file: name.to_owned(), line: line_of(&problem, &text), problem })?;
    Ok(Some((name, Box::new(stack))))
}

fn find_sealed(tree: &Arc<Tree>) -> Result<Option<SealedFile>, Problem> {
    let found = only_one(tree, SECRET_FILES, MAX_FILE_BYTES)?;
    Ok(found.map(|(name, text)| SealedFile { name: name.to_owned(), text }))
}

/// The text of the one of these files that is there.
fn only_one(
    tree: &Arc<Tree>,
    names: [&'static str; 2],
    max_bytes: usize,
) -> Result<Option<(&'static str, String)>, Problem> {
    let [first, second] = names;
    let found = match (read(tree, first, max_bytes)?, read(tree, second, max_bytes)?) {
        (Some(_), Some(_)) => {
            return Err(Problem::Refused(format!("there are a {first} and a {second}: remove one of them")));
        }
        (Some(text), None) => (first, text),
        (None, Some(text)) => (second, text),
        (None, None) => return Ok(None),
    };
    match pointed_to(found.1.as_bytes()) {
        Some(bytes) => Err(Problem::Refused(format!(
            "{} is only a pointer of Git LFS (to {bytes} bytes): commit the file itself",
            found.0
        ))),
        None => Ok(Some(found)),
    }
}

/// The line of the stack file that a problem is about; the first where it is about the whole.
fn line_of(problem: &StackError, text: &str) -> u32 {
    let top =
        |key: &str| text.lines().position(|line| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':')));
    let line = problem.position().map(|position| position.line);
    let line = line.or_else(|| problem.top_key().and_then(top).map(|at| at + 1));
    line.and_then(|line| u32::try_from(line).ok()).unwrap_or(1)
}

fn read(tree: &Arc<Tree>, name: &str, max: usize) -> Result<Option<String>, Problem> {
    let refused = |error: &dyn std::fmt::Display| Problem::Refused(error.to_string());
    let path: RelPath = name.parse().map_err(|error: sdk::context::InvalidPath| refused(&error))?;
    tree.read_text(&path, max as u64).map_err(|error| refused(&error))
}
