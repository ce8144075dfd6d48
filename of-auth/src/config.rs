//! What of-auth is told at its start.

use std::path::PathBuf;
use std::time::Duration;

use sdk::call::Functions;
use sdk::{ConfigError, Env, Invalid, Reader};
use secrecy::SecretString;
use session::SigningKey;
use url::Url;

use crate::address::{Addresses, Domain};
use crate::clock::Clock;
use crate::issue::RoleRules;
use crate::provider::{Provider, Providers};
use crate::store::SessionRules;
use crate::tenants::Tenants;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The configuration of of-auth.
pub struct Config {
    pub(crate) addresses: Addresses,
    pub(crate) data_dir: PathBuf,
    pub(crate) payload_secret: SecretString,
    /// The operator's own signing key, as PEM text.
    pub(crate) signing_key: Option<SecretString>,
    pub(crate) token_lifetime: u64,
    pub(crate) sessions: SessionRules,
    pub(crate) roles: RoleRules,
    pub(crate) key_rotation: u64,
    pub(crate) attempts_per_minute: u32,
    pub(crate) functions: Functions,
    pub(crate) providers: Providers,
    pub(crate) tenants: Tenants,
    /// What time it is.
    pub clock: Clock,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

impl Config {
    /// Reads the configuration from variables and secrets.
    ///
    /// # Errors
    /// Names every variable and secret that is missing or wrong.
    pub async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let reader = env.reader();
        let addresses = addresses(&reader);
        let data_dir = reader.required::<PathBuf>("data_dir");
        let signing_key = signing_key(&reader);
        let token_lifetime = seconds(&reader, "token_lifetime", 10 * MINUTE, 30, HOUR);
        let idle = seconds(&reader, "session_idle", 12 * HOUR, MINUTE, 90 * DAY);
        let lifetime = seconds(&reader, "session_lifetime", 7 * DAY, MINUTE, 90 * DAY);
        let key_rotation = days(&reader, "key_rotation", "30d", HOUR, 3650 * DAY);
        let roles = RoleRules::read(&reader);
        let attempts = reader.or::<u32>("login_attempts_per_minute", 30);
        let attempts = attempts.and_then(|attempts| match attempts {
            0 => Err(reader.invalid("login_attempts_per_minute", "has to be at least 1")),
            some => Ok(some),
        });
        let payload_secret = reader.secret("payload-secret");
        let gateway = reader.required::<Url>("gateway_url");
        let providers = Providers::from_env(&reader);
        let tenants = tenants(&reader, &data_dir, &providers).await;
        reader.finish()?;
        let (payload_secret, token) = (payload_secret?, token_lifetime?);
        Ok(Self {
            addresses: addresses?,
            data_dir: data_dir?,
            signing_key: signing_key?,
            token_lifetime: token,
            sessions: SessionRules { idle: idle?, lifetime: lifetime?, token: token + MINUTE },
            roles: roles?,
            key_rotation: key_rotation?,
            attempts_per_minute: attempts?,
            functions: Functions::new(gateway?, payload_secret.clone()),
            payload_secret,
            providers: providers?,
            tenants: tenants?,
            clock: Clock::default(),
        })
    }
}

/// The tenant list is of the provider's logins, so it is read once both are known.
async fn tenants(
    reader: &Reader<'_>,
    folder: &Result<PathBuf, Invalid>,
    providers: &Result<Providers, Invalid>,
) -> Result<Tenants, Invalid> {
    let (folder, providers) = (folder.as_ref().map_err(|_| Invalid)?, providers.as_ref().map_err(|_| Invalid)?);
    // The last good list is kept there.
    crate::store::private_folder(folder)
        .map_err(|error| reader.invalid("data_dir", format!("'{}' cannot be made: {error}", folder.display())))?;
    let host = providers.all().first().map(Provider::host).unwrap_or_default();
    Tenants::open(reader, folder, host).await
}

fn addresses(reader: &Reader<'_>) -> Result<Addresses, Invalid> {
    let domain = reader.required::<Domain>("domain");
    let public = reader.required::<Url>("auth_public_url")?;
    Addresses::new(&domain?, &public).map_err(|error| reader.invalid("auth_public_url", error.to_string()))
}

fn signing_key(reader: &Reader<'_>) -> Result<Option<SecretString>, Invalid> {
    let Some(pem) = reader.optional_secret("jwt-private-key") else { return Ok(None) };
    match SigningKey::from_pem(&pem) {
        Ok(_) => Ok(Some(pem)),
        Err(error) => Err(reader.invalid("jwt-private-key", format!("cannot be used: {error}"))),
    }
}

/// A duration in whole seconds within bounds.
fn seconds(reader: &Reader<'_>, name: &str, default: u64, least: u64, most: u64) -> Result<u64, Invalid> {
    let seconds = reader.duration_or(name, Duration::from_secs(default))?.as_secs();
    if (least..=most).contains(&seconds) {
        return Ok(seconds);
    }
    Err(reader.invalid(name, format!("has to be between {least} s and {most} s")))
}

impl RoleRules {
    fn read(reader: &Reader<'_>) -> Result<Self, Invalid> {
        let session = days(reader, "roles_max_age", "1d", 10 * MINUTE, 3650 * DAY);
        let token = days(reader, "token_roles_max_age", "30d", 10 * MINUTE, 3650 * DAY);
        Ok(Self { session: session?, token: token? })
    }
}

/// As other durations, and days besides, such as `30d`.
fn days(reader: &Reader<'_>, name: &str, usual: &str, least: u64, most: u64) -> Result<u64, Invalid> {
    let text = reader.or::<String>(name, usual.to_owned())?;
    let days = text.strip_suffix('d').map(|days| days.parse::<u64>().ok().and_then(|days| days.checked_mul(DAY)));
    match days.unwrap_or_else(|| reader.duration_or(name, Duration::ZERO).ok().map(|time| time.as_secs())) {
        Some(seconds) if (least..=most).contains(&seconds) => Ok(seconds),
        _ => {
            let least = least / MINUTE;
            Err(reader
                .invalid(name, format!("'{text}' has to be a time such as 30d or 720h, of {least} minutes at least")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn problems(variables: &[(&str, &str)], secrets: &[(&str, &str)]) -> Vec<String> {
        let env = Env::from_map(variables.iter().copied(), secrets.iter().copied());
        let error = Config::from_env(&env).await.unwrap_err();
        error.problems().iter().map(|problem| problem.name.clone()).collect()
    }

    #[tokio::test]
    async fn all_that_is_missing_is_named_at_once() {
        let named = problems(&[], &[]).await;
        for name in ["domain", "auth_public_url", "data_dir", "payload-secret", "gateway_url"] {
            assert!(named.iter().any(|problem| problem == name), "{name} is not in {named:?}");
        }
    }

    #[tokio::test]
    async fn all_that_is_wrong_is_named_at_once() {
        let variables = [
            ("domain", "example.com"),
            ("auth_public_url", "https://auth.example.com"),
            ("token_lifetime", "2h"),
            ("session_idle", "soon"),
            ("session_lifetime", "1s"),
            ("key_rotation", "0d"),
            ("roles_max_age", "1m"),
            ("token_roles_max_age", "long"),
            ("login_attempts_per_minute", "0"),
            ("gateway_url", "gateway"),
        ];
        let named = problems(&variables, &[("jwt-private-key", "key")]).await;
        for (name, _) in &variables[1..] {
            assert!(named.iter().any(|problem| problem == name), "{name} is not in {named:?}");
        }
        assert!(named.iter().any(|problem| problem == "jwt-private-key"));
    }

    #[test]
    fn long_times_are_told_in_days_or_hours() {
        let read = |text: &str| {
            let env = Env::from_map([("key_rotation", text)], [("a", "b")]);
            let reader = env.reader();
            days(&reader, "key_rotation", "30d", HOUR, 3650 * DAY).ok()
        };
        assert_eq!(read("30d"), Some(30 * DAY));
        assert_eq!(read("36h"), Some(36 * HOUR));
        assert_eq!(read(""), Some(30 * DAY));
        for wrong in ["d", "-1d", "99999999999999999999d", "1s", "never"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
