//! `ofc restore`.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::backup::{self, Restored};
use crate::data_dir::DEFAULT;
use crate::report::Trouble;
use crate::terminal::{print, size};

const EXAMPLES: &str = "\
Examples:
  ofc restore /mnt/safe/ofc.tar                     Into .ofc here, which must not exist or be empty
  age -d -i key.txt ofc.tar.age | ofc restore - --data /var/lib/ofc

Do not run it beside the platform that the backup was made of: they would share keys, and the containers of functions.";

/// Make a data directory of a backup
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Restore {
    /// The file that `ofc backup` made, or - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The data directory to make; it must not exist, or be empty
    #[arg(long, value_name = "DIR", env = "OFC_DATA", hide_env_values = true, default_value = DEFAULT)]
    data: PathBuf,
}

impl Restore {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let archive: Box<dyn Read> = if self.file == Path::new("-") {
            Box::new(io::stdin().lock())
        } else {
            let opened = File::open(&self.file);
            Box::new(opened.map_err(|cause| {
                Trouble::new(format!("the backup {} cannot be read", self.file.display())).because(cause)
            })?)
        };
        let restored = backup::restore(archive, &self.data)?;
        Ok(print(&said(&restored, &self.data))?)
    }
}

fn said(restored: &Restored, data: &Path) -> String {
    let Restored { made_at, version, whole, summary } = restored;
    let (files, bytes, parts) = (summary.files, size(summary.bytes), summary.parts.join(", "));
    let day = made_at.format("%Y-%m-%d %H:%M UTC");
    let mut text =
        format!("{} has the {files} files ({bytes}) that ofc {version} saved at {day}: {parts}.\n", data.display());
    if !whole {
        text.push_str("The platform ran then, so repositories are not in it: push them again, and sign in anew.\n");
    }
    text.push_str(&format!("Start it with: ofc up --data {}\n", data.display()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::Summary;

    #[test]
    fn it_says_what_is_back_and_what_is_to_be_done() {
        let summary = Summary { parts: vec!["secrets".into()], files: 3, bytes: 12 };
        let restored = Restored {
            made_at: "2026-01-02T03:04:05Z".parse().unwrap(),
            version: "0.1.0".into(),
            whole: false,
            summary,
        };
        insta::assert_snapshot!(said(&restored, Path::new("/srv/ofc")), @r"
        /srv/ofc has the 3 files (12 B) that ofc 0.1.0 saved at 2026-01-02 03:04 UTC: secrets.
        The platform ran then, so repositories are not in it: push them again, and sign in anew.
        Start it with: ofc up --data /srv/ofc
        ");
    }

    #[test]
    fn a_file_that_is_not_there_makes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join(".ofc");
        let restore = Restore { file: folder.path().join("none"), data: data.clone() };
        assert!(restore.run().unwrap_err().to_string().contains("cannot be read"));
        assert!(!data.exists());
    }
}
