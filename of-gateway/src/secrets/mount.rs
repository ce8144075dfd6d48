//! The copies of secrets that containers see: files in memory, made from those on the disk at every start. What a
//! container can read is on no disk, and gone when the machine is switched off.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Where the directory is made if nothing else is said: the first that is in memory and may be written to.
const PLACES: [&str; 2] = ["/run", "/dev/shm"];

/// Why there is no directory in memory.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MountError {
    #[error("{} is not in memory (tmpfs): choose another directory for secrets_mount_dir, such as /dev/shm", .0.display())]
    OnDisk(PathBuf),
    #[error(
        "secrets are given to functions in memory only, and neither /run nor /dev/shm is a tmpfs that can be written \
         to: mount one, and name it in secrets_mount_dir"
    )]
    NoPlace,
    #[error("{} is somebody else's: remove it, or choose another directory for secrets_mount_dir", .0.display())]
    Foreign(PathBuf),
    #[error("cannot use {} for secrets", .path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// A directory in memory of this installation's own. It is made with the first file in it.
#[derive(Debug)]
pub(super) struct Mount {
    root: PathBuf,
}

/// The directory of an installation within a place.
fn within(place: &Path, instance: &str) -> PathBuf {
    place.join(format!("of-gateway-{instance}"))
}

impl Mount {
    /// Finds the place. A directory that is there has to be our own, because in a place that everybody writes to
    /// somebody else may have made it.
    pub(super) fn open(configured: Option<&Path>, instance: &str) -> Result<Self, MountError> {
        let place = match configured {
            Some(place) => {
                // The engine needs an absolute path for its mounts.
                let place = place.canonicalize().map_err(at(place))?;
                if !is_in_memory(&place).map_err(at(&place))? {
                    return Err(MountError::OnDisk(place));
                }
                place
            }
            None => PLACES.iter().map(PathBuf::from).find(|place| is_usable(place)).ok_or(MountError::NoPlace)?,
        };
        let mount = Self { root: within(&place, instance) };
        match fs::symlink_metadata(&mount.root) {
            Ok(found) if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() => {
                return Err(MountError::Foreign(mount.root));
            }
            Ok(_) => fs::set_permissions(&mount.root, Permissions::from_mode(0o700)).map_err(at(&mount.root))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(MountError::Io { path: mount.root, source }),
        }
        Ok(mount)
    }

    pub(super) fn path(&self, namespace: &str, name: &str) -> PathBuf {
        self.root.join(namespace).join(name)
    }

    /// Copies a file of the disk, unless the copy is as new. A container that has the old copy keeps it.
    pub(super) fn copy(&self, kept: &Path, namespace: &str, name: &str) -> io::Result<()> {
        let (path, meta) = (self.path(namespace, name), fs::metadata(kept)?);
        let same = |copy: &fs::Metadata| {
            copy.len() == meta.len() && copy.modified().ok().is_some_and(|at| meta.modified().ok() == Some(at))
        };
        if fs::metadata(&path).is_ok_and(|copy| same(&copy)) {
            return Ok(());
        }
        let dir = self.root.join(namespace);
        DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        let mut file = tempfile::Builder::new().prefix(".").tempfile_in(&dir)?;
        file.write_all(&fs::read(kept)?)?;
        // A function's process runs as any user.
        file.as_file().set_permissions(Permissions::from_mode(0o444))?;
        file.as_file().set_modified(meta.modified()?)?;
        file.persist(&path)?;
        Ok(())
    }

    pub(super) fn remove(&self, namespace: &str, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path(namespace, name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // Not empty, most of the time.
        let _ = fs::remove_dir(self.root.join(namespace)).and_then(|()| fs::remove_dir(&self.root));
        Ok(())
    }

    /// Removes all copies whose original is gone.
    pub(super) fn weed(&self, is_kept: impl Fn(&str, &str) -> bool) -> io::Result<()> {
        for namespace in names(&self.root)? {
            for name in names(&self.root.join(&namespace))? {
                if !is_kept(&namespace, &name) {
                    self.remove(&namespace, &name)?;
                }
            }
        }
        Ok(())
    }
}

/// What is in a directory; nothing, if it does not exist.
pub(super) fn names(dir: &Path) -> io::Result<Vec<String>> {
    match fs::read_dir(dir) {
        Ok(entries) => Ok(entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Takes an installation's directory away, wherever it is.
pub(crate) fn clear(configured: Option<&Path>, instance: &str) -> Result<(), MountError> {
    let places = configured.map_or_else(|| PLACES.iter().map(Path::new).collect(), |place| vec![place]);
    for root in places.into_iter().map(|place| within(place, instance)) {
        match fs::remove_dir_all(&root) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(MountError::Io { path: root, source });
            }
            _ => {}
        }
    }
    Ok(())
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> MountError {
    move |source| MountError::Io { path: path.to_owned(), source }
}

fn is_usable(place: &Path) -> bool {
    let writable = rustix::fs::access(place, rustix::fs::Access::WRITE_OK).is_ok();
    writable && is_in_memory(place).unwrap_or(false)
}

#[cfg(target_os = "linux")]
fn is_in_memory(path: &Path) -> io::Result<bool> {
    const TMPFS: i64 = 0x0102_1994;
    const RAMFS: i64 = 0x8584_58f6;
    Ok(matches!(rustix::fs::statfs(path)?.f_type, TMPFS | RAMFS))
}

/// Elsewhere nothing tells. The engine runs in a virtual machine there, and sees no memory of this one.
#[cfg(not(target_os = "linux"))]
fn is_in_memory(_path: &Path) -> io::Result<bool> {
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMORY: &str = "/dev/shm";

    #[test]
    fn a_place_on_a_disk_is_refused_with_a_way_out() {
        let disk = tempfile::tempdir_in("/var/tmp").unwrap();
        let sentence = Mount::open(Some(disk.path()), "0123abcd").unwrap_err().to_string();
        assert!(sentence.contains("not in memory") && sentence.contains("secrets_mount_dir"), "{sentence}");
        let missing = disk.path().join("missing");
        assert!(matches!(Mount::open(Some(&missing), "0123abcd"), Err(MountError::Io { .. })));
    }

    #[test]
    fn a_directory_that_somebody_else_made_is_not_used() {
        let place = tempfile::tempdir_in(MEMORY).unwrap();
        std::os::unix::fs::symlink("/tmp", within(place.path(), "0123abcd")).unwrap();
        assert!(matches!(Mount::open(Some(place.path()), "0123abcd"), Err(MountError::Foreign(_))));
        fs::remove_file(within(place.path(), "0123abcd")).unwrap();
        DirBuilder::new().mode(0o777).create(within(place.path(), "0123abcd")).unwrap();
        let mount = Mount::open(Some(place.path()), "0123abcd").unwrap();
        assert_eq!(fs::metadata(&mount.root).unwrap().permissions().mode() & 0o777, 0o700);
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&mount.root, Some(65534), None).unwrap();
            assert!(matches!(Mount::open(Some(place.path()), "0123abcd"), Err(MountError::Foreign(_))));
        }
    }

    #[test]
    fn copies_follow_their_originals() {
        let (place, disk) = (tempfile::tempdir_in(MEMORY).unwrap(), tempfile::tempdir().unwrap());
        let mount = Mount::open(Some(place.path()), "0123abcd").unwrap();
        assert!(!mount.root.exists(), "nothing is made before it is needed");
        let kept = disk.path().join("key");
        fs::write(&kept, "one").unwrap();
        mount.copy(&kept, "fn", "key").unwrap();
        let copy = mount.path("fn", "key");
        let first = fs::metadata(&copy).unwrap();
        assert_eq!((fs::read(&copy).unwrap(), first.permissions().mode() & 0o777), (b"one".to_vec(), 0o444));
        mount.copy(&kept, "fn", "key").unwrap();
        assert_eq!(fs::metadata(&copy).unwrap().ino(), first.ino(), "nothing is written twice");
        fs::write(&kept, "two").unwrap();
        let later = fs::metadata(&kept).unwrap().modified().unwrap() + std::time::Duration::from_secs(1);
        fs::File::options().append(true).open(&kept).unwrap().set_modified(later).unwrap();
        mount.copy(&kept, "fn", "key").unwrap();
        assert_eq!(fs::read(&copy).unwrap(), b"two");
        mount.copy(&kept, "fn", "other").unwrap();
        mount.weed(|_, name| name == "key").unwrap();
        assert_eq!(names(&mount.root.join("fn")).unwrap(), ["key"]);
        mount.remove("fn", "key").unwrap();
        mount.remove("fn", "key").unwrap();
        assert!(!mount.root.exists());
        mount.copy(&kept, "fn", "key").unwrap();
        clear(Some(place.path()), "0123abcd").unwrap();
        clear(Some(place.path()), "0123abcd").unwrap();
        assert!(!mount.root.exists());
    }
}
