//! Asking of-auth. Anything but a clear yes is a no, and anything but a clear no is not clear.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::{Method, StatusCode, header};
use sdk::signing::Key;
use session::protocol::{Answer, QUESTION_PATH, Question, Scope};
use session::{Claims, MAX_TOKEN};
use tokio::sync::{Semaphore, watch};
use url::Url;

use super::cache::Cache;
use super::keys::Keys;
use super::{Digest, seconds};

/// How long of-auth may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long the signature of a question holds.
const SIGNED_FOR: Duration = Duration::from_secs(30);
/// How many questions may be open; a flood of invented tokens gets no further.
const AT_ONCE: usize = 64;
/// How many answers are remembered.
const MAX_KEPT: usize = 10_000;
/// The longest that a yes is remembered, whatever of-auth says.
const MAX_KEEP: Duration = Duration::from_secs(5);
/// How long a no is.
const KEEP_NO: Duration = Duration::from_secs(1);
/// The longest answer, in bytes.
const MAX_BYTES: usize = 32 * 1024;

/// What is asked about.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) host: &'a str,
    pub(crate) token: &'a str,
    /// What the token says, where it is a session's and was good once.
    pub(crate) session: Option<Claims>,
    /// Whether it may be answered by a newer one.
    pub(crate) renewable: bool,
}

/// A clear yes that was looked through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Yes {
    pub(crate) claims: Arc<Claims>,
    pub(crate) scopes: Option<Arc<BTreeSet<Scope>>>,
    pub(crate) renewed: Option<String>,
    keep: Duration,
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    Yes(Arc<Yes>),
    No,
    Unclear,
}

type Asking = watch::Receiver<Option<Reply>>;

/// Asks one question at a time for each token.
#[derive(Debug, Clone)]
pub(crate) struct Questions(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    http: reqwest::Client,
    url: Url,
    key: Key,
    issuer: String,
    open: Arc<Semaphore>,
    asking: Mutex<HashMap<Digest, Asking>>,
    kept: Cache<Digest, Reply>,
}

impl Questions {
    pub(crate) fn new(http: reqwest::Client, base: &Url, key: Key, issuer: String) -> Self {
        let mut url = base.clone();
        url.set_path(QUESTION_PATH);
        let open = Arc::new(Semaphore::new(AT_ONCE));
        Self(Arc::new(Inner { http, url, key, issuer, open, asking: Mutex::default(), kept: Cache::new(MAX_KEPT) }))
    }

    /// Asks, or takes the answer to the same question: from before where `from_memory`, else from one under way.
    pub(crate) async fn ask(&self, digest: Digest, asked: Asked<'_>, keys: &Arc<Keys>, from_memory: bool) -> Reply {
        let kept = from_memory.then(|| self.0.kept.get(&digest, Instant::now())).flatten();
        if let Some(reply) = kept {
            return reply;
        }
        let mut asking = self.join_or_begin(digest, asked, keys);
        // The one who asks may not live to tell; then nobody knows.
        let answer = asking.wait_for(Option::is_some).await;
        answer.ok().and_then(|reply| reply.clone()).unwrap_or(Reply::Unclear)
    }

    fn join_or_begin(&self, digest: Digest, asked: Asked<'_>, keys: &Arc<Keys>) -> Asking {
        let mut under_way = self.asking();
        if let Some(asking) = under_way.get(&digest) {
            return asking.clone();
        }
        let (tell, asking) = watch::channel(None);
        let Ok(turn) = self.0.open.clone().try_acquire_owned() else {
            tell.send_replace(Some(Reply::Unclear));
            return asking;
        };
        under_way.insert(digest, asking.clone());
        let question = Question { host: asked.host.to_owned(), token: asked.token.to_owned() };
        let (this, keys, renewable) = (self.clone(), keys.clone(), asked.renewable);
        // In a task of its own: the client that asked first may go away, the others still want to know.
        tokio::spawn(async move {
            let reply = this.question(&question, asked.session.as_ref(), renewable, &keys).await;
            this.end(digest, &reply);
            drop(turn);
            tell.send_replace(Some(reply));
        });
        asking
    }

    fn end(&self, digest: Digest, reply: &Reply) {
        let keep = match reply {
            Reply::Yes(yes) => yes.keep,
            Reply::No => KEEP_NO,
            Reply::Unclear => Duration::ZERO,
        };
        self.0.kept.put(digest, reply.clone(), Instant::now(), keep);
        self.asking().remove(&digest);
    }

    async fn question(&self, question: &Question, session: Option<&Claims>, renewable: bool, keys: &Keys) -> Reply {
        match tokio::time::timeout(PATIENCE, self.answer(question)).await {
            Ok(Ok(Some(answer))) => self.look_through(answer, question, session, renewable, keys).await,
            Ok(Ok(None)) => Reply::No,
            Ok(Err(reason)) => {
                tracing::error!(reason, "of-auth did not say whose a token is");
                Reply::Unclear
            }
            Err(_) => {
                tracing::error!("of-auth took too long to say whose a token is");
                Reply::Unclear
            }
        }
    }

    /// `None` for a no.
    async fn answer(&self, question: &Question) -> Result<Option<Answer>, &'static str> {
        let body = serde_json::to_vec(question).map_err(|_| "the question cannot be written")?;
        let mut request = self.0.http.post(self.0.url.clone()).header(header::CONTENT_TYPE, "application/json");
        for (name, value) in self.0.key.sign(&Method::POST, &body, SIGNED_FOR) {
            request = request.header(name, value);
        }
        let response = request.body(body).send().await.map_err(|_| "it does not answer")?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED => return Ok(None),
            _ => return Err("its answer is neither yes nor no"),
        }
        let body = bounded(response, MAX_BYTES).await.ok_or("its answer breaks off or is too long")?;
        serde_json::from_slice(&body).map(Some).map_err(|_| "its answer is not understood")
    }

    /// Believes an answer that is about what was asked. An API token is limited to scopes and a session is not.
    async fn look_through(
        &self,
        answer: Answer,
        question: &Question,
        session: Option<&Claims>,
        renewable: bool,
        keys: &Keys,
    ) -> Reply {
        let fine = fits(&answer, &question.host, &self.0.issuer, session, seconds())
            && answer.scopes.is_none() == renewable
            && match &answer.renewed {
                Some(token) => renewable && is_good(token, &question.host, &answer.claims, keys).await,
                None => true,
            };
        if !fine {
            tracing::error!("of-auth's answer does not fit the question");
            return Reply::Unclear;
        }
        let keep = Duration::from_secs(answer.keep).min(MAX_KEEP);
        let scopes = answer.scopes.map(Arc::new);
        Reply::Yes(Arc::new(Yes { claims: Arc::new(answer.claims), scopes, renewed: answer.renewed, keep }))
    }

    fn asking(&self) -> MutexGuard<'_, HashMap<Digest, Asking>> {
        self.0.asking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fits(answer: &Answer, host: &str, issuer: &str, session: Option<&Claims>, now: u64) -> bool {
    let claims = &answer.claims;
    let same = session.is_none_or(|session| session.sid == claims.sid && session.sub == claims.sub);
    let whole = claims.who.id != 0 && !claims.who.host.is_empty() && claims.sub == claims.who.subject();
    claims.aud == host && claims.iss == issuer && claims.exp > now && whole && same && !claims.sid.is_empty()
}

/// A newer token is of the same session, and good.
async fn is_good(token: &str, host: &str, claims: &Claims, keys: &Keys) -> bool {
    let check = || {
        let verifier = keys.verifier(Instant::now())?;
        verifier.verify(token, host, seconds()).ok()
    };
    let mut checked = check();
    if checked.is_none() && token.len() <= MAX_TOKEN && keys.refetch().await {
        checked = check();
    }
    checked.is_some_and(|new| new.sid == claims.sid && new.sub == claims.sub)
}

/// The whole body, if it comes to its end and is not longer than `limit`.
pub(super) async fn bounded(mut response: reqwest::Response, limit: usize) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > limit {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body)
}
