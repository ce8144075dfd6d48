//! API tokens by the address of the of-auth that gave them, in a file that nobody else can read.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sdk::Env;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::data_dir::private_dir;
use crate::report::Trouble;

/// The file, in the user's configuration folder.
const FILE: &str = "ofc/credentials.json";

/// An API token.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Credential {
    /// The token itself.
    pub(crate) token: SecretString,
}

/// All of a user's tokens.
#[derive(Debug)]
pub(crate) struct Credentials {
    file: PathBuf,
    kept: BTreeMap<String, Credential>,
}

#[derive(Serialize)]
struct Written<'a> {
    token: &'a str,
}

impl Credentials {
    /// Reads them; there need not be any.
    ///
    /// # Errors
    /// When there is no home, or the file is not readable.
    pub(crate) fn open(env: &Env) -> anyhow::Result<Self> {
        let config = env.var("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let home = || Some(PathBuf::from(env.var("HOME")?).join(".config"));
        let folder =
            config.or_else(home).ok_or_else(|| Trouble::new("there is no home: set HOME or XDG_CONFIG_HOME"))?;
        let file = folder.join(FILE);
        let kept = match fs::read(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            read => read.and_then(|bytes| Ok(serde_json::from_slice(&bytes)?)).map_err(|cause| {
                Trouble::new(format!("{} cannot be read", file.display()))
                    .hint("remove it and sign in again with `ofc login`")
                    .because(cause)
            })?,
        };
        Ok(Self { file, kept })
    }

    /// The token for an address.
    pub(crate) fn get(&self, origin: &str) -> Option<&Credential> {
        self.kept.get(origin)
    }

    /// The only address.
    ///
    /// # Errors
    /// When there is none, or more.
    pub(crate) fn only(&self) -> anyhow::Result<&str> {
        let mut all = self.kept.keys();
        match (all.next(), all.next()) {
            (Some(only), None) => Ok(only),
            (None, _) => Err(Trouble::new("you are not signed in").hint("sign in with `ofc login`").into()),
            _ => {
                let all = self.kept.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                Err(Trouble::usage(format!("you are signed in at {all}")).hint("say which one with --url URL").into())
            }
        }
    }

    /// Keeps a token, and gives the one that was there.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn keep(&mut self, origin: &str, credential: Credential) -> anyhow::Result<Option<Credential>> {
        let before = self.kept.insert(origin.to_owned(), credential);
        self.write()?;
        Ok(before)
    }

    /// Forgets a token.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn forget(&mut self, origin: &str) -> anyhow::Result<()> {
        self.kept.remove(origin);
        self.write()
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.file
    }

    fn write(&self) -> anyhow::Result<()> {
        let written: BTreeMap<&str, Written<'_>> = self
            .kept
            .iter()
            .map(|(origin, kept)| (origin.as_str(), Written { token: kept.token.expose_secret() }))
            .collect();
        let text = serde_json::to_vec_pretty(&written)?;
        place(&self.file, &text)
            .map_err(|cause| Trouble::new(format!("{} cannot be written", self.file.display())).because(cause).into())
    }
}

/// Replaces the file, whole or not at all; the new one is the user's alone from its first byte on.
fn place(file: &Path, content: &[u8]) -> io::Result<()> {
    let folder = file.parent().ok_or_else(|| io::Error::other("a file needs a folder"))?;
    if let Some(config) = folder.parent() {
        fs::create_dir_all(config)?;
    }
    private_dir(folder)?;
    let mut fresh = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
    fresh.write_all(content)?;
    fresh.as_file().sync_all()?;
    fresh.persist(file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn env(folder: &Path) -> Env {
        Env::from_map([("XDG_CONFIG_HOME", folder.to_string_lossy())], [] as [(&str, &str); 0])
    }

    fn token(text: &str) -> Credential {
        Credential { token: text.into() }
    }

    #[test]
    fn tokens_are_kept_for_the_user_alone() {
        let folder = tempfile::tempdir().unwrap();
        let env = env(&folder.path().join("config"));
        let mut kept = Credentials::open(&env).unwrap();
        assert!(kept.only().unwrap_err().to_string().contains("not signed in"));
        assert!(kept.keep("http://a", token("ofct_1")).unwrap().is_none());
        let before = kept.keep("http://a", token("ofct_2")).unwrap().unwrap();
        assert_eq!(before.token.expose_secret(), "ofct_1");
        let mut again = Credentials::open(&env).unwrap();
        assert_eq!(again.get("http://a").unwrap().token.expose_secret(), "ofct_2");
        assert_eq!(again.only().unwrap(), "http://a");
        assert!(!format!("{again:?}").contains("ofct_2"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(again.path()), mode(again.path().parent().unwrap())), (0o600, 0o700));
        again.keep("http://b", token("ofct_3")).unwrap();
        assert!(again.only().unwrap_err().to_string().contains("http://a, http://b"));
        again.forget("http://a").unwrap();
        assert_eq!(Credentials::open(&env).unwrap().only().unwrap(), "http://b");
    }

    #[test]
    fn a_broken_file_is_named_and_shows_no_token() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("ofc")).unwrap();
        fs::write(folder.path().join(FILE), "{\"http://a\": {\"token\": [\"ofct_1\"]}}").unwrap();
        let text = crate::report::render(&Credentials::open(&env(folder.path())).unwrap_err());
        assert!(text.contains("credentials.json cannot be read") && !text.contains("ofct_1"), "{text}");
    }
}
