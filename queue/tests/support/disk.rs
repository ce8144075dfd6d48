//! A disk that can be filled.

use std::path::Path;
use std::process::Command;

/// A small disk of its own.
pub(crate) struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None` where this user may not mount.
    pub(crate) fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=48m", "tmpfs"]).arg(folder.path()).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Leaves not a byte.
    pub(crate) fn fill(&self) {
        for size in [1 << 20, 4096, 1] {
            let mut number = 0;
            while std::fs::write(self.path().join(format!("fill-{size}-{number}")), vec![1; size]).is_ok() {
                number += 1;
                if number > 4096 {
                    break;
                }
            }
        }
    }

    pub(crate) fn free(&self) {
        for entry in std::fs::read_dir(self.path()).unwrap().flatten() {
            if entry.file_name().to_string_lossy().starts_with("fill-") {
                std::fs::remove_file(entry.path()).unwrap();
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).output();
    }
}
