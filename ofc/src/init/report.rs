//! What `ofc init` did, for the person who ran it. File names only: no secret is ever in it.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::report::Trouble;

/// What was made, what still has to be given, and what else there is to say.
#[derive(Debug, Default)]
pub(crate) struct Report {
    lines: Vec<String>,
    pub(crate) changes: usize,
    pub(crate) missing: Vec<String>,
}

impl Report {
    /// Something was made or changed.
    pub(crate) fn changed(&mut self, what: impl Into<String>) {
        self.changes += 1;
        self.lines.push(what.into());
    }

    /// Something is to be known.
    pub(crate) fn note(&mut self, what: impl Into<String>) {
        self.lines.push(what.into());
    }

    /// Something is left to be done by a person.
    pub(crate) fn missing(&mut self, what: impl Into<String>) {
        self.missing.push(what.into());
    }

    /// Puts a file there that was made from the configuration. One that is there already is replaced if it is another.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn put(&mut self, path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
        let shown = path.display();
        let unwritable = |cause: io::Error| Trouble::new(format!("{shown} cannot be written")).because(cause);
        let old = match fs::symlink_metadata(path) {
            Ok(about) if about.is_file() => Some(fs::read(path).map_err(unwritable)?),
            Ok(_) => return Err(unwritable(io::Error::other("it is not a plain file")).into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(unwritable(error).into()),
        };
        if old.as_deref() == Some(text.as_bytes()) {
            return fs::set_permissions(path, fs::Permissions::from_mode(mode))
                .map_err(|cause| unwritable(cause).into());
        }
        write(path, text, mode).map_err(unwritable)?;
        let verb = if old.is_some() { "changed" } else { "wrote" };
        self.changed(format!("{verb} {shown}"));
        Ok(())
    }

    /// What a person reads.
    pub(crate) fn render(&self) -> String {
        let mut text: String = self.lines.iter().map(|line| format!("{line}\n")).collect();
        if self.changes == 0 {
            text.push_str("Nothing was changed: all that can be made is there\n");
        }
        if !self.missing.is_empty() {
            text.push_str("\nStill to be done:\n");
            text.extend(self.missing.iter().map(|line| format!("  {line}\n")));
        }
        text
    }
}

/// Whole or not at all, and never open to others for a moment.
fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let fresh = path.with_file_name(format!(".{name}.new"));
    let _ = fs::remove_file(&fresh);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&fresh)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_is_no_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mut report = Report::default();
        report.put(&path, "one", 0o600).unwrap();
        report.put(&path, "one", 0o600).unwrap();
        report.put(&path, "two", 0o600).unwrap();
        assert_eq!(report.changes, 2);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = report.render();
        assert!(text.contains("wrote ") && text.contains("changed "), "{text}");
        assert!(Report::default().render().contains("Nothing was changed"));
    }

    #[test]
    fn a_link_is_not_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        fs::write(&target, "kept").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(Report::default().put(&link, "text", 0o644).is_err());
        assert_eq!(fs::read_to_string(target).unwrap(), "kept");
    }
}
