//! Packs what `ofc` carries inside itself: the function templates and the sample of `ofc demo`.
//!
//! A tar keeps the modes of files, and one that is made the same way from the same files has the same bytes,
//! so that its digest names the content.

use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// What a build or a test run leaves beside the sources.
const LEFTOVERS: [&str; 4] = ["target", "tests", "__pycache__", ".pytest_cache"];

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env("CARGO_MANIFEST_DIR")?).join("..");
    let out = PathBuf::from(env("OUT_DIR")?);
    pack(&root.join("template"), &out.join("template.tar"))?;
    pack(&root.join("samples/hello"), &out.join("hello.tar"))?;
    Ok(())
}

fn env(name: &str) -> Result<String, Box<dyn Error>> {
    std::env::vars()
        .find_map(|(key, value)| (key == name).then_some(value))
        .ok_or_else(|| format!("{name} is unset").into())
}

fn pack(folder: &Path, archive: &Path) -> Result<(), Box<dyn Error>> {
    // Cargo looks at folders recursively, and a build of the templates must not make this one stale.
    let mut tar = tar::Builder::new(fs::File::create(archive)?);
    add(&mut tar, folder, Path::new(""))?;
    tar.finish()?;
    Ok(())
}

fn add(tar: &mut tar::Builder<fs::File>, folder: &Path, inside: &Path) -> Result<(), Box<dyn Error>> {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .map_err(|cause| format!("{} cannot be read: {cause}", folder.display()))?
        .collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        if LEFTOVERS.iter().any(|leftover| name == *leftover) {
            continue;
        }
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            add(tar, &path, &inside.join(name))?;
        } else {
            println!("cargo:rerun-if-changed={}", path.display());
            add_file(tar, &path, &inside.join(name))?;
        }
    }
    // New files and removed ones change the folder's time.
    println!("cargo:rerun-if-changed={}", folder.display());
    Ok(())
}

fn add_file(tar: &mut tar::Builder<fs::File>, path: &Path, name: &Path) -> Result<(), Box<dyn Error>> {
    let content = fs::read(path)?;
    let executable = fs::metadata(path)?.permissions().mode() & 0o100 != 0;
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len().try_into()?);
    header.set_mode(if executable { 0o755 } else { 0o644 });
    header.set_mtime(0);
    tar.append_data(&mut header, name, content.as_slice())?;
    Ok(())
}
