//! Links that sign somebody in at the git host, and by it at the platform. Who can read the platform's secrets may
//! make one for anybody.

use std::time::UNIX_EPOCH;

use sdk::id::Owner;
use secrecy::{ExposeSecret, SecretString};

use crate::data_dir::DataDir;
use crate::instance::Record;
use crate::secrets::GIT_TOKEN_KEY;

/// A new link for an owner.
///
/// # Errors
/// When the key cannot be read, or people sign in elsewhere.
pub fn make(data: &DataDir, record: &Record, owner: &Owner) -> anyhow::Result<SecretString> {
    record.own_git()?;
    let key = record.secrets(data).get(GIT_TOKEN_KEY)?;
    let now = UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
    let path = of_git::login_link(&key, owner, now);
    Ok(format!("{}{}", record.git_url(), path.expose_secret()).into())
}
