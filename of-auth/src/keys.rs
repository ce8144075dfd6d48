//! The installation's keys: one signs, the ones before it are believed until the last session that used them is over.

use std::sync::{Arc, PoisonError, RwLock};

use secrecy::SecretString;
use session::{Jwk, Jwks, KeyError, SigningKey, Verifier};

use crate::store::{SessionRules, Store, StoreError, StoredKey};

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeysError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a signing key cannot be used")]
    Key(#[from] KeyError),
    #[error("the signing keys in the file of sessions cannot be read")]
    Unreadable(#[from] serde_json::Error),
    #[error("the signing key is the secret jwt-private-key: change the secret and start anew")]
    Given,
}

/// The keys of one moment.
pub(crate) struct Ring {
    pub(crate) signer: SigningKey,
    pub(crate) verifier: Verifier,
    pub(crate) public: Jwks,
    created: u64,
}

/// The keys, which change.
pub(crate) struct Keys {
    store: Store,
    issuer: String,
    given: Option<SecretString>,
    ring: RwLock<Arc<Ring>>,
}

impl Keys {
    /// Takes the operator's key, or the stored one, or makes the first one.
    pub(crate) async fn open(
        store: Store,
        issuer: String,
        given: Option<SecretString>,
        now: u64,
    ) -> Result<Self, KeysError> {
        let mut stored = store.keys().await?;
        let current = stored.first().filter(|key| key.retired.is_none());
        let usable = match (&given, current) {
            (Some(pem), Some(current)) => SigningKey::from_pem(pem)?.public().kid == current.kid,
            (None, Some(current)) => current.pem.is_some(),
            (_, None) => false,
        };
        if !usable {
            stored = store.change_key(fresh(given.as_ref(), now)?, now, false).await?;
        }
        let ring = ring(&issuer, given.as_ref(), &stored)?;
        Ok(Self { store, issuer, given, ring: RwLock::new(Arc::new(ring)) })
    }

    /// The keys as they are now.
    pub(crate) fn current(&self) -> Arc<Ring> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets a new key sign from now on; with `forget_others`, no token that another one signed is believed any more.
    pub(crate) async fn rotate(&self, now: u64, forget_others: bool) -> Result<(), KeysError> {
        if self.given.is_some() {
            return Err(KeysError::Given);
        }
        let stored = self.store.change_key(fresh(None, now)?, now, forget_others).await?;
        self.replace(&stored)
    }

    /// Changes the key when it is old enough, and forgets retired ones when their time is over.
    pub(crate) async fn tend(&self, now: u64, rotation: u64, rules: SessionRules) -> Result<bool, KeysError> {
        let kept = rules.token.saturating_add(rules.idle);
        if self.store.forget_keys(now.saturating_sub(kept)).await? {
            self.replace(&self.store.keys().await?)?;
        }
        let due = self.given.is_none() && self.current().created.saturating_add(rotation) <= now;
        if due {
            self.rotate(now, false).await?;
        }
        Ok(due)
    }

    fn replace(&self, stored: &[StoredKey]) -> Result<(), KeysError> {
        let ring = ring(&self.issuer, self.given.as_ref(), stored)?;
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
        Ok(())
    }
}

/// A key to be stored: the given one without its private half, or a new one.
fn fresh(given: Option<&SecretString>, now: u64) -> Result<StoredKey, KeysError> {
    let made = given.is_none().then(SigningKey::generate).transpose()?;
    let signer = SigningKey::from_pem(made.as_ref().or(given).ok_or(KeyError::Random)?)?;
    let public = serde_json::to_string(signer.public())?;
    Ok(StoredKey { kid: signer.public().kid.clone(), pem: made, public, created: now, retired: None })
}

fn ring(issuer: &str, given: Option<&SecretString>, stored: &[StoredKey]) -> Result<Ring, KeysError> {
    let newest = stored.first().ok_or(KeyError::NotPem)?;
    let signer = SigningKey::from_pem(given.or(newest.pem.as_ref()).ok_or(KeyError::NotPem)?)?;
    let keys = stored.iter().map(|key| serde_json::from_str::<Jwk>(&key.public)).collect::<Result<Vec<_>, _>>()?;
    let public = Jwks { keys };
    Ok(Ring { signer, verifier: Verifier::new(issuer, &public), public, created: newest.created })
}

#[cfg(test)]
mod tests;
