//! The pushed commit: fetched into a private folder, and its stack file found.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sdk::context::{RelPath, Tree, pointed_to};
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
pub(crate) enum Found {
    /// A stack and its file's name.
    Stack(&'static str, Box<Stack>),
    /// Only sealed secrets.
    SecretsOnly,
}

/// Finds and reads the stack file at the root of the commit.
pub(crate) fn find_stack(tree: &Arc<Tree>, limits: &stack::Limits) -> Result<Found, Problem> {
    let mut files = Vec::new();
    for name in STACK_FILES {
        if let Some(text) = read(tree, name, limits.max_bytes as u64)? {
            files.push((name, text));
        }
    }
    match files.as_slice() {
        [(name, text)] => {
            if let Some(bytes) = pointed_to(text.as_bytes()) {
                return Err(Problem::Refused(format!(
                    "{name} is only a pointer of Git LFS (to {bytes} bytes): commit the file itself"
                )));
            }
            let stack = stack::parse_within(text, limits);
            let stack = stack.map_err(|problem| Problem::Stack {
                file: (*name).to_owned(),
                line: line_of(&problem, text),
                problem,
            })?;
            Ok(Found::Stack(name, Box::new(stack)))
        }
        [] if has_secrets(tree)? => Ok(Found::SecretsOnly),
        [] => Err(Problem::Refused(
            "there is no stack.yml at the root of the repository: add one (faas-cli new writes it)".to_owned(),
        )),
        _ => Err(Problem::Refused("there are a stack.yml and a stack.yaml: remove one of them".to_owned())),
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

fn has_secrets(tree: &Arc<Tree>) -> Result<bool, Problem> {
    for name in SECRET_FILES {
        let path: RelPath = name.parse().map_err(|error| Problem::Refused(format!("{error}")))?;
        if tree.locate(&path).map_err(|error| Problem::Refused(error.to_string()))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn read(tree: &Arc<Tree>, name: &str, max: u64) -> Result<Option<String>, Problem> {
    let refused = |error: &dyn std::fmt::Display| Problem::Refused(error.to_string());
    let path: RelPath = name.parse().map_err(|error: sdk::context::InvalidPath| refused(&error))?;
    tree.read_text(&path, max).map_err(|error| refused(&error))
}
