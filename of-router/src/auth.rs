//! Who calls. Decided here where that is possible, asked of of-auth where not; what is not clear is nobody's.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http::HeaderValue;
use sdk::signing::Key;
use secrecy::SecretString;
use session::protocol::AUTH;
use session::{Claims, Refused};
use sha2::{Digest as _, Sha256};
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

use crate::access::Caller;

pub(crate) mod cache;
pub(crate) mod credential;
mod keys;
mod notices;
pub(crate) mod open;
mod questions;

use cache::Cache;
use credential::Credential;
use keys::Keys;
use notices::Standing;
use open::Watch;
use questions::{Asked, Questions, Reply};

/// How many verified tokens are remembered.
const MAX_VERIFIED: usize = 10_000;
/// How long a cookie stays with the browser, in seconds: as long as of-auth may keep a session. Of-auth decides whether
/// it counts.
const COOKIE_SECONDS: u64 = 90 * 24 * 3600;

/// A token at a host, so that the token itself is not kept.
pub(crate) type Digest = [u8; 32];

/// What of-auth is reached by.
#[derive(Debug, Clone)]
pub(crate) struct AuthConfig {
    /// Where it listens.
    pub(crate) url: Url,
    /// Its public address without a path, which it writes into tokens.
    pub(crate) issuer: String,
    pub(crate) payload_secret: SecretString,
    /// Whether cookies are for HTTPS.
    pub(crate) secure: bool,
    /// How long it may be silent before no token is believed without asking.
    pub(crate) silence: Duration,
}

/// Who a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// Nobody who is known. True: by a token that is not good.
    Nobody { refused: bool },
    /// Somebody, and perhaps a newer cookie.
    Somebody { caller: Caller, digest: Digest, renewed: Option<HeaderValue> },
    /// It cannot be told.
    Unclear,
}

/// Knows of-auth's keys and revocations, and asks it.
#[derive(Debug)]
pub(crate) struct Auth {
    keys: Arc<Keys>,
    standing: Arc<Standing>,
    questions: Questions,
    verified: Cache<Digest, Arc<Claims>>,
    secure: bool,
    following: Arc<Following>,
}

/// What runs in the background, until nobody needs it.
#[derive(Debug)]
pub(crate) struct Following {
    standing: Arc<Standing>,
    _stop: DropGuard,
}

impl Auth {
    /// Starts to listen to of-auth. Has to be called within a runtime.
    pub(crate) fn start(config: &AuthConfig) -> Self {
        let http = sdk::http::client();
        let key = Key::derive(&config.payload_secret, AUTH);
        let keys = Arc::new(Keys::new(http.clone(), &config.url, config.issuer.clone()));
        let standing = Arc::new(Standing::new(config.silence));
        let stop = CancellationToken::new();
        let (kept, told) = (keys.clone(), standing.clone());
        let tending = open::tend(standing.clone());
        let listening = notices::follow(http.clone(), config.url.clone(), key.clone(), told);
        let ended = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = ended.cancelled() => {}
                () = kept.keep_up() => {}
                () = listening => {}
                () = tending => {}
            }
        });
        let questions = Questions::new(http, &config.url, key, config.issuer.clone());
        let verified = Cache::new(MAX_VERIFIED);
        let following = Arc::new(Following { standing: standing.clone(), _stop: stop.drop_guard() });
        Self { keys, standing, questions, verified, secure: config.secure, following }
    }

    /// Looks after what a caller opens.
    pub(crate) fn watch(&self, caller: &Caller) -> Watch {
        Watch { claims: caller.claims.clone(), following: self.following.clone() }
    }

    /// Whose request to `host` this is.
    pub(crate) async fn identify(&self, host: &str, credential: Credential<'_>) -> Said {
        match credential {
            Credential::None => Said::Nobody { refused: false },
            Credential::Malformed => Said::Nobody { refused: true },
            Credential::Session(token) => self.session(host, token).await,
            Credential::ApiToken(token) => {
                let digest = digest(host, token);
                self.ask(digest, Asked { host, token, session: None, renewable: false }).await
            }
        }
    }

    async fn session(&self, host: &str, token: &str) -> Said {
        let (digest, now) = (digest(host, token), seconds());
        if self.standing.is_live(Instant::now())
            && let Some(claims) = self.verified.get(&digest, Instant::now())
            && claims.exp > now
        {
            return self.believe(claims, digest);
        }
        match self.verify(host, token, now).await {
            Some(Ok(claims)) if self.standing.is_live(Instant::now()) => {
                let claims = Arc::new(claims);
                let left = Duration::from_secs(claims.exp.saturating_sub(now));
                self.verified.put(digest, claims.clone(), Instant::now(), left);
                self.believe(claims, digest)
            }
            Some(Ok(claims)) => self.ask_again(digest, host, token, claims).await,
            Some(Err(Refused::Expired(claims))) => self.ask_again(digest, host, token, *claims).await,
            Some(Err(Refused::Invalid | Refused::UnknownKey)) => Said::Nobody { refused: false },
            None => self.ask(digest, Asked { host, token, session: None, renewable: true }).await,
        }
    }

    /// `None` where the keys that it may be signed with cannot be had.
    async fn verify(&self, host: &str, token: &str, now: u64) -> Option<Result<Claims, Refused>> {
        let first = self.keys.verifier(Instant::now()).map(|keys| keys.verify(token, host, now));
        match first {
            Some(Err(Refused::UnknownKey)) | None => {
                let current = self.keys.refetch().await;
                let again = self.keys.verifier(Instant::now()).map(|keys| keys.verify(token, host, now));
                again.filter(|result| current || *result != Err(Refused::UnknownKey))
            }
            first => first,
        }
    }

    async fn ask_again(&self, digest: Digest, host: &str, token: &str, claims: Claims) -> Said {
        if self.standing.is_revoked(&claims.sid) {
            return Said::Nobody { refused: false };
        }
        self.ask(digest, Asked { host, token, session: Some(claims), renewable: true }).await
    }

    async fn ask(&self, digest: Digest, asked: Asked<'_>) -> Said {
        let by_cookie = asked.renewable;
        // What is kept can be taken back only while notices come.
        let reply = self.questions.ask(digest, asked, &self.keys, self.standing.is_live(Instant::now())).await;
        match reply {
            Reply::No => Said::Nobody { refused: !by_cookie },
            Reply::Unclear => Said::Unclear,
            Reply::Yes(yes) if self.standing.is_revoked(&yes.claims.sid) => Said::Nobody { refused: !by_cookie },
            Reply::Yes(yes) => {
                let caller = Caller { claims: yes.claims.clone(), scopes: yes.scopes.clone(), by_cookie };
                let renewed = yes.renewed.as_ref().and_then(|token| self.cookie(token));
                Said::Somebody { caller, digest, renewed }
            }
        }
    }

    fn believe(&self, claims: Arc<Claims>, digest: Digest) -> Said {
        if self.standing.is_revoked(&claims.sid) {
            return Said::Nobody { refused: false };
        }
        Said::Somebody { caller: Caller { claims, scopes: None, by_cookie: true }, digest, renewed: None }
    }

    fn cookie(&self, token: &str) -> Option<HeaderValue> {
        HeaderValue::try_from(session::cookie::set("session", token, COOKIE_SECONDS, self.secure)).ok()
    }
}

fn digest(host: &str, token: &str) -> Digest {
    // No host has a line break in it.
    Sha256::new().chain_update(host).chain_update("\n").chain_update(token).finalize().into()
}

/// Seconds since 1970.
fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
