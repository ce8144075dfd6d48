//! The files that `ofc` carries inside itself: the function templates and the sample of `ofc demo`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use sha2::{Digest, Sha256};

static TEMPLATES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/template.tar"));
static HELLO: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/hello.tar"));

/// Lays the templates out below `folder`, in a folder named after their content, and returns that. Another
/// version's templates stay beside it for the pushes that are still on their way, and go at the next start.
///
/// # Errors
/// When a file cannot be written.
pub fn lay_out_templates(folder: &Path) -> anyhow::Result<PathBuf> {
    let digest = hex::encode(Sha256::digest(TEMPLATES));
    let home = folder.join(&digest[..16]);
    if !home.exists() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        // Under another name until it is whole: a half-made template folder would be used for ever.
        let draft = tempfile::tempdir_in(folder).with_context(|| format!("cannot write into {}", folder.display()))?;
        unpack(TEMPLATES, draft.path())?;
        fs::rename(draft.keep(), &home).with_context(|| format!("cannot make {}", home.display()))?;
    }
    remove_others(folder, &home);
    Ok(home)
}

/// Lays the sample repository out in `folder`.
///
/// # Errors
/// When a file cannot be written.
pub fn lay_out_hello(folder: &Path) -> anyhow::Result<()> {
    unpack(HELLO, folder)
}

fn unpack(archive: &[u8], folder: &Path) -> anyhow::Result<()> {
    tar::Archive::new(archive).unpack(folder).with_context(|| format!("cannot lay out files in {}", folder.display()))
}

fn remove_others(folder: &Path, home: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()).filter(|path| path != home) {
        if let Err(error) = fs::remove_dir_all(&path) {
            tracing::warn!(path = %path.display(), %error, "An earlier version's templates cannot be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_laid_out_once_per_content() {
        let folder = tempfile::tempdir().unwrap();
        let stale = folder.path().join("0123");
        fs::create_dir(&stale).unwrap();
        let home = lay_out_templates(folder.path()).unwrap();
        assert!(home.join("rust/runtime/Cargo.toml").is_file() && home.join("rust/main/src/main.rs").is_file());
        assert!(!stale.exists());
        fs::write(home.join("marker"), "").unwrap();
        assert_eq!(lay_out_templates(folder.path()).unwrap(), home);
        assert!(home.join("marker").exists(), "it was laid out again");
    }

    #[test]
    fn what_a_build_leaves_is_not_carried() {
        let mut archive = tar::Archive::new(TEMPLATES);
        let paths: Vec<_> =
            archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().into_owned()).collect();
        let leftover = |path: &PathBuf| path.components().any(|part| part.as_os_str() == "target");
        assert!(!paths.iter().any(leftover), "{paths:?}");
    }

    #[test]
    fn the_sample_has_a_stack_file() {
        let folder = tempfile::tempdir().unwrap();
        lay_out_hello(folder.path()).unwrap();
        assert!(folder.path().join("stack.yml").is_file());
    }
}
