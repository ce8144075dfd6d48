//! The keys that of-auth signs with.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use session::protocol::JWKS_PATH;
use session::{Jwks, Verifier};
use tokio::sync::Mutex;
use url::Url;

use super::questions::bounded;

/// The keys are fetched anew this often.
const EVERY: Duration = Duration::from_secs(60);
/// The wait after a fetch that failed.
const RETRY: Duration = Duration::from_secs(1);
/// Whoever sends tokens of unknown keys makes us fetch this often at most.
const AT_MOST_EVERY: Duration = Duration::from_secs(1);
/// How long keys count that could not be fetched again.
const STALE: Duration = Duration::from_secs(300);
/// How long a fetch may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// The longest list of keys, in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// Fetches keys and keeps them.
#[derive(Debug)]
pub(crate) struct Keys {
    http: reqwest::Client,
    url: Url,
    issuer: String,
    known: RwLock<Option<Known>>,
    /// When the last fetch began and whether it succeeded. Held while one is under way.
    turn: Mutex<Option<(Instant, bool)>>,
}

#[derive(Debug, Clone)]
struct Known {
    verifier: Arc<Verifier>,
    fetched: Instant,
}

impl Keys {
    pub(crate) fn new(http: reqwest::Client, base: &Url, issuer: String) -> Self {
        let mut url = base.clone();
        url.set_path(JWKS_PATH);
        Self { http, url, issuer, known: RwLock::default(), turn: Mutex::default() }
    }

    /// What checks tokens, if keys are known that are not too old.
    pub(crate) fn verifier(&self, now: Instant) -> Option<Arc<Verifier>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|known| now.duration_since(known.fetched) < STALE).map(|known| known.verifier.clone())
    }

    /// Fetches the keys unless that was just done. True if the last fetch succeeded.
    pub(crate) async fn refetch(&self) -> bool {
        let mut turn = self.turn.lock().await;
        let now = Instant::now();
        if let Some((_, succeeded)) = turn.filter(|(last, _)| now.duration_since(*last) < AT_MOST_EVERY) {
            return succeeded;
        }
        let fetched = self.fetch().await;
        if let Some(keys) = &fetched {
            let verifier = Arc::new(Verifier::new(self.issuer.clone(), keys));
            let known = Known { verifier, fetched: Instant::now() };
            *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(known);
        }
        *turn = Some((now, fetched.is_some()));
        fetched.is_some()
    }

    /// Fetches the keys for as long as it runs.
    pub(crate) async fn keep_up(&self) {
        loop {
            let wait = if self.refetch().await { EVERY } else { RETRY };
            tokio::time::sleep(wait).await;
        }
    }

    async fn fetch(&self) -> Option<Jwks> {
        let response = self.http.get(self.url.clone()).timeout(PATIENCE).send().await.ok()?;
        if response.status() != http::StatusCode::OK {
            tracing::warn!(status = response.status().as_u16(), "of-auth does not say its keys");
            return None;
        }
        let keys: Jwks = serde_json::from_slice(&bounded(response, MAX_BYTES).await?).ok()?;
        // A list without keys is nothing that anybody could be known by.
        (!keys.keys.is_empty()).then_some(keys)
    }
}
