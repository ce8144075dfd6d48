//! The user's git: a remote that leads to the platform, and a credential helper that lets pushes through.

use std::path::Path;
use std::process::Command;

use anyhow::Context;
use sdk::id::RepoPath;

use crate::data_dir::DataDir;
use crate::instance::Record;
use crate::report::Trouble;

/// Runs git in a folder and returns what it prints.
///
/// # Errors
/// With git's own words when it fails.
pub fn git(folder: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("git").arg("-C").arg(folder).args(arguments).output();
    let output = output.map_err(|cause| Trouble::new("git cannot be run").hint("install git").because(cause))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(anyhow::anyhow!(said)).with_context(|| format!("git {} failed", arguments.first().unwrap_or(&"")))
}

/// Points `remote` at a repository of the platform and gives it, in this repository alone, a credential helper.
///
/// # Errors
/// When the folder is no repository, or has a remote of that name that leads elsewhere.
pub fn link(folder: &Path, data: &DataDir, record: &Record, repo: &RepoPath, remote: &str) -> anyhow::Result<String> {
    let host = record.git_url();
    let url = format!("{host}/{repo}.git");
    set_remote(folder, record, remote, &url)?;
    let set = |key: &str, value: &str| git(folder, &["config", "--local", "--replace-all", key, value]);
    // The empty helper forgets those of the user's own configuration: they have nothing for this host, and
    // some would store what ours answers.
    let helper = format!("credential.{host}.helper");
    set(&helper, "")?;
    git(folder, &["config", "--local", "--add", &helper, &helper_command(data)?])?;
    set(&format!("credential.{host}.useHttpPath"), "true")?;
    // A proxy does not find this machine's own names.
    set(&format!("http.{host}.proxy"), "")?;
    Ok(url)
}

fn set_remote(folder: &Path, record: &Record, remote: &str, url: &str) -> anyhow::Result<()> {
    match git(folder, &["remote", "get-url", remote]) {
        Err(_) => {
            git(folder, &["remote", "add", remote, url])?;
        }
        Ok(old) if old == url => {}
        // Ours, from an earlier start with another port or under another name.
        Ok(old) if old.starts_with(&format!("http://git.{}", record.domain)) => {
            git(folder, &["remote", "set-url", remote, url])?;
        }
        Ok(old) => {
            return Err(Trouble::new(format!("the remote '{remote}' leads to {old} already"))
                .hint("use another name: --remote NAME")
                .into());
        }
    }
    Ok(())
}

fn helper_command(data: &DataDir) -> anyhow::Result<String> {
    let program = std::env::current_exe().context("cannot tell where ofc is")?;
    let program = program.canonicalize().unwrap_or(program);
    Ok(format!("!{} git-credential --data {}", quoted(&program)?, quoted(data.root())?))
}

/// A path as one word of a shell.
fn quoted(path: &Path) -> anyhow::Result<String> {
    let text =
        path.to_str().with_context(|| format!("the path {} is not UTF-8, which git cannot be told", path.display()))?;
    Ok(format!("'{}'", text.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository() -> (tempfile::TempDir, DataDir, Record) {
        let folder = tempfile::tempdir().unwrap();
        git(folder.path(), &["init", "--quiet"]).unwrap();
        let data = DataDir::at(&folder.path().join("it's data")).unwrap();
        let record = Record::sample();
        (folder, data, record)
    }

    #[test]
    fn linking_twice_is_linking_once() {
        let (folder, data, record) = repository();
        let repo = "alice/hello".parse().unwrap();
        for _ in 0..2 {
            let url = link(folder.path(), &data, &record, &repo, "ofc").unwrap();
            assert_eq!(git(folder.path(), &["remote", "get-url", "ofc"]).unwrap(), url);
            let helpers =
                git(folder.path(), &["config", "--get-all", "credential.http://git.localhost:8000.helper"]).unwrap();
            assert!(helpers.ends_with(r"it'\''s data'"), "{helpers}");
            assert_eq!(helpers.matches("git-credential").count(), 1);
        }
        let moved = Record { router: "127.0.0.1:9000".parse().unwrap(), ..record };
        let url = link(folder.path(), &data, &moved, &repo, "ofc").unwrap();
        assert_eq!(url, "http://git.localhost:9000/alice/hello.git");
    }

    #[test]
    fn another_hosts_remote_is_left_alone() {
        let (folder, data, record) = repository();
        git(folder.path(), &["remote", "add", "ofc", "https://github.com/alice/hello.git"]).unwrap();
        let error = link(folder.path(), &data, &record, &"alice/hello".parse().unwrap(), "ofc").unwrap_err();
        assert!(crate::report::render(&error).contains("--remote"));
    }

    #[test]
    fn outside_a_repository_git_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let (_, data, record) = repository();
        let error = link(folder.path(), &data, &record, &"alice/hello".parse().unwrap(), "ofc").unwrap_err();
        assert!(format!("{error:#}").contains("not a git repository"), "{error:#}");
    }
}
