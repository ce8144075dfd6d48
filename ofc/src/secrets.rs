//! The platform's own secrets: generated once, kept as files that only the user can read, never shown.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use crate::data_dir::private_dir;
use crate::report::Trouble;

/// Signs what the functions tell each other.
pub const PAYLOAD: &str = "payload-secret";
/// Signs the webhooks that reach `github-event`.
pub const WEBHOOK: &str = "github-webhook-secret";
/// The user of the gateway's REST API.
pub const GATEWAY_USER: &str = "basic-auth-user";
/// That user's password.
pub const GATEWAY_PASSWORD: &str = "basic-auth-password";
/// Signs what reaches the builder.
pub const BUILDER: &str = "builder-payload-secret";
/// What every push token of the git host is derived from.
pub const GIT_TOKEN_KEY: &str = "git-token-key";
/// The private key of the GitHub App as which the platform's functions read from and report to the git host.
pub const GITHUB_APP_KEY: &str = "github-app-private-key";
/// By which the image builder opens what is sealed for a build.
pub const BUILDER_KEY: &str = "builder-private-key";
/// That App's number at the git host.
pub const GITHUB_APP_ID: u64 = 1;
/// The key of the platform's App at a GitHub that is not its own.
pub const FOREIGN_APP_KEY: &str = "private-key";
/// The token with which the platform speaks to GitLab.
pub const GITLAB_TOKEN: &str = "gitlab-api-token";
/// By which GitLab's webhooks are known.
pub const GITLAB_WEBHOOK: &str = "gitlab-webhook-secret";
/// By which of-auth, which signs people in, is known to the git host.
pub const AUTH_CLIENT: &str = "of-client-secret";

/// The gateway's user, as `faas-cli login` assumes it.
pub(crate) const ADMIN: &str = "admin";
/// 256 bits cannot be guessed.
const RANDOM_BYTES: usize = 32;
/// Random secrets that every platform has, by file name.
const GENERATED: [&str; 3] = [PAYLOAD, GATEWAY_PASSWORD, BUILDER];
/// Those that the platform and its own git host share.
const OF_THE_OWN_HOST: [&str; 3] = [WEBHOOK, GIT_TOKEN_KEY, AUTH_CLIENT];

/// The secrets of one data directory.
#[derive(Debug, Clone)]
pub struct Secrets {
    folder: PathBuf,
    /// A folder that others fill, whose files go before those of `folder`.
    given: Option<PathBuf>,
}

impl Secrets {
    /// Opens the folder and generates what is neither there nor in `given`.
    ///
    /// # Errors
    /// When the folder or a file cannot be written.
    pub fn open(folder: PathBuf, given: Option<PathBuf>) -> anyhow::Result<Self> {
        let secrets = Self::open_for_others(folder, given, &OF_THE_OWN_HOST)?;
        secrets.keep(GITHUB_APP_KEY, app_key)?;
        Ok(secrets)
    }

    /// The same for a platform whose repositories are elsewhere: `more` are the random secrets that it shares with that
    /// host. What is in `given` is not made anew.
    ///
    /// # Errors
    /// When the folder or a file cannot be written.
    pub fn open_for_others(folder: PathBuf, given: Option<PathBuf>, more: &[&str]) -> anyhow::Result<Self> {
        private_dir(&folder).map_err(|cause| unusable(&folder, cause))?;
        let secrets = Self { folder, given };
        for name in GENERATED.iter().chain(more) {
            secrets.keep(name, random)?;
        }
        secrets.keep(BUILDER_KEY, builder_key)?;
        secrets.keep(GATEWAY_USER, || Ok(ADMIN.to_owned()))?;
        Ok(secrets)
    }

    /// Makes a secret that is not there. True if it was made.
    ///
    /// # Errors
    /// When it cannot be written, or something else has its name.
    pub fn keep(&self, name: &str, value: impl FnOnce() -> io::Result<String>) -> anyhow::Result<bool> {
        if self.is_given(name) {
            return Ok(false);
        }
        let path = self.folder.join(name);
        let fresh = !path.exists();
        keep(&path, value).map_err(|cause| unusable(&path, cause))?;
        Ok(fresh)
    }

    fn is_given(&self, name: &str) -> bool {
        self.given.as_ref().is_some_and(|given| given.join(name).is_file())
    }

    /// The folder of a platform that has run before.
    pub fn existing(folder: PathBuf) -> Self {
        Self { folder, given: None }
    }

    /// The same with files of another folder before its own.
    #[must_use]
    pub fn with_given(self, given: Option<PathBuf>) -> Self {
        Self { given, ..self }
    }

    /// The file of a secret.
    pub fn path(&self, name: &str) -> PathBuf {
        match &self.given {
            Some(given) if self.is_given(name) => given.join(name),
            _ => self.folder.join(name),
        }
    }

    /// True if there is a file of that name.
    pub fn has(&self, name: &str) -> bool {
        self.path(name).is_file()
    }

    /// A secret's value.
    ///
    /// # Errors
    /// When its file cannot be read or is empty.
    pub fn get(&self, name: &str) -> anyhow::Result<SecretString> {
        let path = self.path(name);
        let unusable = |sentence: &str| Trouble::new(format!("the secret {} {sentence}", path.display()));
        let text = fs::read_to_string(&path).map_err(|cause| {
            unusable("cannot be read").hint("has `ofc up` run with this data directory, as this user?").because(cause)
        })?;
        let value = text.trim();
        if value.is_empty() {
            return Err(unusable("is empty").hint("delete the file and start the platform again").into());
        }
        Ok(SecretString::from(value))
    }
}

fn unusable(path: &Path, cause: io::Error) -> Trouble {
    Trouble::new(format!("the secret {} cannot be kept", path.display()))
        .hint("it must be a file of this user's; see `ofc doctor`")
        .because(cause)
}

/// Leaves a file that is there, but closed to others; else makes it.
fn keep(path: &Path, value: impl FnOnce() -> io::Result<String>) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(about) if about.is_file() => fs::set_permissions(path, fs::Permissions::from_mode(0o600)),
        Ok(_) => Err(io::Error::other("it is not a plain file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => write(path, &value()?),
        Err(error) => Err(error),
    }
}

/// Whole or not at all: a half-written secret would lock out everything signed before.
pub(crate) fn write(path: &Path, value: &str) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let _ = fs::remove_file(&fresh);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    file.write_all(value.as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, path)
}

/// A secret that nobody can guess.
///
/// # Errors
/// When there are no random numbers.
pub fn random() -> io::Result<String> {
    let mut bytes = [0; RANDOM_BYTES];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(hex::encode(bytes))
}

/// A private key of X25519, which is any 32 bytes, in base64.
pub(crate) fn builder_key() -> io::Result<String> {
    let mut bytes = Zeroizing::new([0; RANDOM_BYTES]);
    getrandom::fill(&mut *bytes).map_err(io::Error::other)?;
    Ok(STANDARD.encode(*bytes))
}

pub(crate) fn app_key() -> io::Result<String> {
    of_git::generate_app_key().map(|key| key.expose_secret().to_owned()).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).map_or(0, |about| about.permissions().mode() & 0o777)
    }

    #[test]
    fn they_are_generated_once_and_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets");
        let first = Secrets::open(path.clone(), None).unwrap();
        let value = first.get(PAYLOAD).unwrap();
        assert_eq!(value.expose_secret().len(), 2 * RANDOM_BYTES);
        assert_ne!(value.expose_secret(), first.get(WEBHOOK).unwrap().expose_secret());
        assert_eq!(mode(&path), 0o700);
        fs::set_permissions(first.path(PAYLOAD), fs::Permissions::from_mode(0o644)).unwrap();
        let second = Secrets::open(path, None).unwrap();
        assert_eq!(second.get(PAYLOAD).unwrap().expose_secret(), value.expose_secret());
        assert_eq!(second.get(GATEWAY_USER).unwrap().expose_secret(), "admin");
        assert!(of_git::public_app_key(&second.get(GITHUB_APP_KEY).unwrap()).is_ok());
        assert_eq!(STANDARD.decode(second.get(BUILDER_KEY).unwrap().expose_secret()).unwrap().len(), 32);
        for name in GENERATED.into_iter().chain(OF_THE_OWN_HOST).chain([GITHUB_APP_KEY, BUILDER_KEY]) {
            assert_eq!(mode(&second.path(name)), 0o600, "{name}");
        }
    }

    #[test]
    fn what_others_give_goes_before_what_is_kept_and_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let (own, given) = (folder.path().join("own"), folder.path().join("given"));
        fs::create_dir(&given).unwrap();
        fs::write(given.join(PAYLOAD), "from outside\n").unwrap();
        let secrets = Secrets::open_for_others(own.clone(), Some(given), &[GITLAB_WEBHOOK]).unwrap();
        assert_eq!(secrets.get(PAYLOAD).unwrap().expose_secret(), "from outside");
        assert!(!own.join(PAYLOAD).exists() && own.join(GITLAB_WEBHOOK).exists() && !own.join(WEBHOOK).exists());
        assert!(secrets.has(PAYLOAD) && !secrets.has(GIT_TOKEN_KEY));
        assert!(secrets.keep("more", random).unwrap() && !secrets.keep("more", random).unwrap());
    }

    #[test]
    fn a_link_in_a_secrets_place_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/hostname", folder.path().join(PAYLOAD)).unwrap();
        let error = Secrets::open(folder.path().to_owned(), None).unwrap_err();
        assert!(format!("{error:#}").contains("not a plain file"), "{error:#}");
    }

    #[test]
    fn empty_and_missing_files_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let secrets = Secrets::existing(folder.path().to_owned());
        assert!(secrets.get(PAYLOAD).unwrap_err().to_string().ends_with("cannot be read"));
        fs::write(secrets.path(PAYLOAD), " \n").unwrap();
        assert!(secrets.get(PAYLOAD).unwrap_err().to_string().ends_with("is empty"));
    }
}
