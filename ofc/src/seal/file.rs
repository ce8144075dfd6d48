//! The file with the sealed secrets, read bounded and replaced whole.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sealed_secrets::SealedSecret;
use sealed_secrets::documents::{self, Limits};

use crate::report::Trouble;

/// What a new file may be at most; the user's own mask takes from it.
const NEW_FILE: u32 = 0o666;

/// A file's text; empty where there is none.
///
/// # Errors
/// When it is there and cannot be read, or is too long.
pub(crate) fn text(path: &Path) -> anyhow::Result<String> {
    let limit = Limits::default().file_bytes;
    let mut text = String::new();
    match File::open(path).and_then(|file| file.take(limit as u64 + 1).read_to_string(&mut text)) {
        Ok(_) if text.len() > limit => Err(unreadable(path).hint("a file of secrets has at most 2 MiB").into()),
        Ok(_) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(unreadable(path).because(error).into()),
    }
}

/// The same for a file that has to be there, with its documents.
///
/// # Errors
/// When it cannot be read, or is not understood.
pub(crate) fn documents(path: &Path) -> anyhow::Result<(String, Vec<SealedSecret>)> {
    if !path.exists() {
        return Err(Trouble::new(format!("there is no file {}", path.display()))
            .hint("name the file with the sealed secrets, or make one with `ofc seal`")
            .into());
    }
    let text = text(path)?;
    let documents = documents::parse(&text, &Limits::default()).map_err(|cause| not_understood(path, cause))?;
    Ok((text, documents))
}

/// Replaces the file, or makes it. Its mode stays, and so does a link to it.
///
/// # Errors
/// When it cannot be written; then it is as before.
pub(crate) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    replace(path, text)
        .map_err(|cause| Trouble::new(format!("{} cannot be written", path.display())).because(cause).into())
}

/// Says that a file of secrets is not one.
pub(crate) fn not_understood(path: &Path, cause: documents::DocumentError) -> Trouble {
    Trouble::new(format!("{} is not understood", path.display())).because(cause)
}

fn unreadable(path: &Path) -> Trouble {
    Trouble::new(format!("{} cannot be read", path.display()))
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).map_or(PathBuf::from("."), Into::into);
    let mode = fs::metadata(&path).map(|about| about.permissions()).ok();
    let mut fresh = tempfile::Builder::new()
        .prefix(".secrets-")
        .permissions(fs::Permissions::from_mode(NEW_FILE))
        .tempfile_in(folder)?;
    fresh.write_all(text.as_bytes())?;
    if let Some(mode) = mode {
        fresh.as_file().set_permissions(mode)?;
    }
    fresh.as_file().sync_all()?;
    fresh.persist(&path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_keeps_its_mode_and_its_links() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("secrets.yml"), folder.path().join("link.yml"));
        write(&file, "a").unwrap();
        let mode = || fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode() & 0o600, 0o600);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write(&link, "b").unwrap();
        assert_eq!((text(&file).unwrap().as_str(), mode()), ("b", 0o640));
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_file_that_is_not_there_is_empty_and_others_say_why_not() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(text(&folder.path().join("none")).unwrap(), "");
        assert!(documents(&folder.path().join("none")).unwrap_err().to_string().contains("there is no file"));
        assert!(text(folder.path()).is_err());
        let path = folder.path().join("long");
        fs::write(&path, vec![b'#'; 2 * 1024 * 1024 + 1]).unwrap();
        assert!(crate::report::render(&text(&path).unwrap_err()).contains("2 MiB"));
        fs::write(&path, "kind: Secret\napiVersion: v1\n").unwrap();
        let told = crate::report::render(&documents(&path).unwrap_err());
        assert!(told.contains("caused by: line 1: this secret is not sealed"), "{told}");
        assert!(write(&folder.path().join("no/folder"), "x").is_err());
    }
}
