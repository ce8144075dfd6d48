//! `ofc backup`.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use crate::backup::{self, Scope, Summary};
use crate::data_dir::DataDir;
use crate::instance::{self, Lock, State};
use crate::locate::Which;
use crate::report::Trouble;
use crate::terminal::size;

const EXAMPLES: &str = "\
Examples:
  ofc backup /mnt/safe/ofc.tar               A new file that only you can read; none is overwritten
  ofc backup - | age -r age1… > ofc.tar.age  Encrypted, to be opened by who has the key
  ofc down && ofc backup /mnt/safe/ofc.tar   All of it, with repositories, sessions and the queue

Of a platform that runs, only what is small and cannot be made again is taken: sealing keys, secrets, the records of sealed
secrets, tenants, owners and their numbers, certificates. The file has every key of the platform, and is not encrypted.";

/// Write the platform's keys and state into one file
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Backup {
    /// The file to make, or - for standard output
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    which: Which,
}

impl Backup {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let data = self.which.data()?;
        if !data.exists() {
            return Err(Trouble::new(format!("no platform has run in {}", data.root().display()))
                .hint("name its data directory with --data DIR")
                .into());
        }
        // One that is stopped must not be started while it is read.
        let lock = match instance::state(&data)? {
            State::Stopped => Some(Lock::take(&data)?),
            State::Running(_) => None,
            State::Between { .. } => {
                return Err(Trouble::new("the platform is just starting or stopping")
                    .hint("try again in a moment")
                    .into());
            }
        };
        let scope = if lock.is_some() { Scope::Whole } else { Scope::Essential };
        let summary =
            if self.file == Path::new("-") { to_output(&data, scope) } else { to_file(&data, scope, &self.file) }?;
        let to = if self.file == Path::new("-") { "standard output".into() } else { self.file.display().to_string() };
        anstream::eprint!("{}", said(scope, &summary, &to));
        Ok(())
    }
}

fn to_output(data: &DataDir, scope: Scope) -> anyhow::Result<Summary> {
    let out = io::stdout().lock();
    if out.is_terminal() {
        return Err(Trouble::usage("a backup is nothing for a terminal").hint("send it to a program or a file").into());
    }
    backup::write(data, scope, out)
}

fn to_file(data: &DataDir, scope: Scope, path: &Path) -> anyhow::Result<Summary> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let file = made.map_err(|cause| match cause.kind() {
        io::ErrorKind::AlreadyExists => {
            Trouble::new(format!("{} is there already", path.display())).hint("name a new file, or move that one away")
        }
        _ => Trouble::new(format!("{} cannot be made", path.display())).because(cause),
    })?;
    let written = backup::write(data, scope, io::BufWriter::new(&file))
        .and_then(|summary| file.sync_all().map(|()| summary).context("the backup cannot be written"));
    if written.is_err() {
        // Half a backup would only be taken for one.
        let _ = std::fs::remove_file(path);
    }
    written
}

fn said(scope: Scope, summary: &Summary, to: &str) -> String {
    let Summary { parts, files, bytes } = summary;
    let parts = parts.join(", ");
    let mut text = format!("{files} files ({}) are in {to}: {parts}.\n", size(*bytes));
    if scope == Scope::Essential {
        text.push_str(
            "The platform runs, so repositories, sessions, the queue, build logs and the audit trail are not in it: stop the \
             platform for all of it.\n",
        );
    }
    text.push_str("Whoever has it has every key of the platform: keep it where nobody else can read it.\n");
    text
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn platform() -> (tempfile::TempDir, DataDir) {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::create(&folder.path().join(".ofc")).unwrap();
        drop(Lock::take(&data).unwrap());
        std::fs::write(data.customers(), "alice\n").unwrap();
        (folder, data)
    }

    fn backup(data: &DataDir, file: &Path) -> anyhow::Result<()> {
        Backup { file: file.to_owned(), which: Which { data: Some(data.root().to_owned()) } }.run()
    }

    #[test]
    fn a_backup_is_a_new_file_of_this_user_s_alone() {
        let (folder, data) = platform();
        let file = folder.path().join("ofc.tar");
        backup(&data, &file).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let before = std::fs::read(&file).unwrap();
        let error = crate::report::render(&backup(&data, &file).unwrap_err());
        assert!(error.contains("is there already"), "{error}");
        assert_eq!(std::fs::read(&file).unwrap(), before);
    }

    #[test]
    fn what_fails_leaves_no_file() {
        let (folder, data) = platform();
        std::os::unix::fs::symlink("/etc/hostname", data.root().join("link")).unwrap();
        let file = folder.path().join("ofc.tar");
        assert!(backup(&data, &file).unwrap_err().to_string().contains("link is neither"));
        assert!(!file.exists());
        assert!(backup(&DataDir::at(&folder.path().join("none")).unwrap(), &file).is_err());
    }

    #[test]
    fn it_says_what_is_in_it_and_what_is_not() {
        let summary = Summary { parts: vec!["secrets".into(), "sealing-keys".into()], files: 12, bytes: 34_000 };
        insta::assert_snapshot!(said(Scope::Essential, &summary, "ofc.tar"), @r"
        12 files (34.00 kB) are in ofc.tar: secrets, sealing-keys.
        The platform runs, so repositories, sessions, the queue, build logs and the audit trail are not in it: stop the platform for all of it.
        Whoever has it has every key of the platform: keep it where nobody else can read it.
        ");
        assert!(!said(Scope::Whole, &summary, "ofc.tar").contains("runs"));
    }
}
