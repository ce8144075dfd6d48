//! The keys that a provider signs with.

use std::time::Duration;

use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use super::Oidc;
use super::discovery::Discovered;
use super::id_token::IdTokenError;
use crate::provider::ProviderError;

/// Keys that the provider has withdrawn count no longer than this.
const KEEP: Duration = Duration::from_secs(60 * 60);
/// Nobody makes us ask more often by naming keys that there are not.
const PAUSE: Duration = Duration::from_secs(10);

/// The keys as they were last asked for.
#[derive(Debug)]
pub(super) struct Keys {
    known: Vec<Jwk>,
    asked: Option<Instant>,
    pause: Duration,
}

impl Default for Keys {
    fn default() -> Self {
        Self { known: Vec::new(), asked: None, pause: PAUSE }
    }
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

impl Oidc {
    /// The key of this name for this algorithm. An unknown name is reason to ask for the keys again.
    pub(super) async fn key(
        &self,
        discovered: &Discovered,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<DecodingKey, ProviderError> {
        let mut keys = self.keys.lock().await;
        let age = |keys: &Keys| keys.asked.map(|asked| asked.elapsed());
        if age(&keys).is_none_or(|age| age > KEEP) {
            self.ask(discovered, &mut keys).await?;
        }
        if keys.find(kid, algorithm).is_none() && age(&keys).is_none_or(|age| age >= keys.pause) {
            self.ask(discovered, &mut keys).await?;
        }
        keys.find(kid, algorithm).ok_or_else(|| IdTokenError::UnknownKey.into())
    }

    /// Asks more often than in earnest.
    #[cfg(test)]
    pub(in crate::provider) async fn set_pause(&self, pause: Duration) {
        self.keys.lock().await.pause = pause;
    }

    async fn ask(&self, discovered: &Discovered, keys: &mut Keys) -> Result<(), ProviderError> {
        let (set, _) = self.caller.get::<Set>(discovered.keys.clone(), None).await?;
        // Keys of kinds that are not known here may well be in it.
        keys.known = set.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect();
        keys.asked = Some(Instant::now());
        Ok(())
    }
}

impl Keys {
    /// Without a name there must be one key only that it can be.
    fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
        let mut fitting = self.known.iter().filter_map(|key| {
            let named = kid.is_none() || key.common.key_id.as_deref() == kid;
            (named && is_for(key, algorithm)).then(|| DecodingKey::from_jwk(key).ok()).flatten()
        });
        let found = fitting.find(|key| key.family() == algorithm.family())?;
        let another = fitting.any(|key| key.family() == algorithm.family());
        (!another).then_some(found)
    }
}

fn is_for(key: &Jwk, algorithm: Algorithm) -> bool {
    let signs = matches!(key.common.public_key_use, None | Some(PublicKeyUse::Signature));
    let fits = key.common.key_algorithm.is_none_or(|known| known.to_string().parse() == Ok(algorithm));
    signs && fits
}
