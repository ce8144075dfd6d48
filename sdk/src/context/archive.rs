//! A plan as a tar of the Function Builder API: the same plan gives the same bytes.

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde::Serialize;
use tar::{Builder, EntryType, Header};

use super::path::RelPath;
use super::plan::Plan;

/// The entry with the image's name and the build arguments.
const CONFIG_ENTRY: &str = "com.openfaas.docker.config";
/// The entry with the values of build secrets, which only the builder can open.
const SECRETS_ENTRY: &str = "com.openfaas.secrets";
/// The folder of everything else.
const CONTEXT: &str = "context";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DockerConfig<'a> {
    image: &'a str,
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    build_args: &'a std::collections::BTreeMap<String, String>,
    /// An extension of ours: nothing that an earlier build left behind is used.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    no_cache: bool,
}

impl Plan {
    /// Writes the plan with `image` as the name to build, after `first`: entries (name, content) that come
    /// before the Function Builder API's own.
    ///
    /// # Errors
    /// If a file cannot be read or `out` cannot be written, and if the plan has build secrets whose values are not there:
    /// see [`Plan::with_sealed`].
    pub fn write_tar<W: Write>(&self, image: &str, first: &[(&str, &[u8])], out: W) -> io::Result<W> {
        let mut tar = Builder::new(out);
        for (name, content) in first {
            file(&mut tar, name, content, false)?;
        }
        let config =
            serde_json::to_vec(&DockerConfig { image, build_args: &self.build_args, no_cache: self.no_cache })?;
        file(&mut tar, CONFIG_ENTRY, &config, false)?;
        match &self.sealed {
            Some(sealed) => file(&mut tar, SECRETS_ENTRY, sealed.as_bytes(), false)?,
            None if self.build_secrets.is_empty() => {}
            None => return Err(io::Error::other("the build secrets are not sealed for the builder")),
        }
        for folder in self.folders() {
            let mut header = header(EntryType::Directory, 0, 0o755);
            let slash = if folder.is_root() { "" } else { "/" };
            tar.append_data(&mut header, format!("{CONTEXT}/{}{slash}", folder.as_str()), io::empty())?;
        }
        for (path, planned) in &self.layers.files {
            let content =
                planned.tree.read(&planned.file).map_err(|cause| io::Error::other(format!("{path}: {cause}")))?;
            file(&mut tar, &format!("{CONTEXT}/{}", path.as_str()), &content, planned.file.executable)?;
        }
        tar.into_inner()
    }

    /// Every folder that has something in it, outer ones first, the root included.
    fn folders(&self) -> BTreeSet<RelPath> {
        let mut folders = BTreeSet::from([RelPath::root()]);
        for path in self.layers.files.keys() {
            let mut folder = path.parent();
            while !folder.is_root() && folders.insert(folder.clone()) {
                folder = folder.parent();
            }
        }
        folders
    }
}

fn file<W: Write>(tar: &mut Builder<W>, name: &str, content: &[u8], executable: bool) -> io::Result<()> {
    let mut header = header(EntryType::Regular, content.len() as u64, if executable { 0o755 } else { 0o644 });
    tar.append_data(&mut header, name, content)
}

/// A header without owner, group and time, so that only what is built shows in the bytes.
fn header(kind: EntryType, size: u64, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}
