//! Whose a function is, by the gateway's word.
//!
//! A name such as `a-b-c` may be `a`'s `b-c` or `a-b`'s `c`; only the label on the deployed function tells.
//! What the gateway says counts for a second, one question at a time for each function; no clear answer is a no.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sdk::failure::chain;
use sdk::gateway::Gateway;
use sdk::id::{Owner, ServiceName};
use sdk::labels::GIT_OWNER;
use tokio::sync::{Semaphore, watch};

/// How long a no may be repeated without asking.
const NO: Duration = Duration::from_millis(100);
/// How long the gateway may take.
const ANSWER: Duration = Duration::from_secs(5);
/// How many questions may be open; a flood of invented names gets no further.
const AT_ONCE: usize = 64;
/// How many answers are remembered.
const MAX_KNOWN: usize = 10_000;

/// What the gateway said about a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Word {
    /// It is this owner's.
    Owner(String),
    /// There is no such function, or it is nobody's.
    Nobody,
    /// It said nothing that can be understood.
    Unclear,
}

/// Whether a request may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The function is the owner's.
    Yes,
    /// It is not there, or somebody else's.
    No,
    /// Nobody knows, so no.
    Unclear,
}

#[derive(Debug)]
enum Entry {
    Known { word: Word, until: Instant },
    Asking(watch::Receiver<Option<Word>>),
}

/// Asks the gateway and remembers.
#[derive(Debug, Clone)]
pub(crate) struct Ownership(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    gateway: Gateway,
    keep: Duration,
    entries: Mutex<HashMap<ServiceName, Entry>>,
    questions: Semaphore,
}

impl Ownership {
    /// Asks this gateway, keeping a yes for `keep`.
    pub(crate) fn new(gateway: Gateway, keep: Duration) -> Self {
        let questions = Semaphore::new(AT_ONCE);
        Self(Arc::new(Inner { gateway, keep, entries: Mutex::default(), questions }))
    }

    /// Whether `service` is a function of `owner`.
    pub(crate) async fn check(&self, owner: &Owner, service: &ServiceName) -> Verdict {
        match self.word(service).await {
            Word::Owner(login) if login == owner.as_str() => Verdict::Yes,
            Word::Owner(_) | Word::Nobody => Verdict::No,
            Word::Unclear => Verdict::Unclear,
        }
    }

    async fn word(&self, service: &ServiceName) -> Word {
        let mut asking = match self.known_or_ask(service) {
            Ok(word) => return word,
            Err(asking) => asking,
        };
        // The one who asks may not live to tell; then nobody knows.
        let answer = asking.wait_for(Option::is_some).await;
        answer.ok().and_then(|word| word.clone()).unwrap_or(Word::Unclear)
    }

    /// What is known, or the question that is under way.
    fn known_or_ask(&self, service: &ServiceName) -> Result<Word, watch::Receiver<Option<Word>>> {
        let mut entries = self.entries();
        match entries.get(service) {
            Some(Entry::Known { word, until }) if *until > Instant::now() => return Ok(word.clone()),
            Some(Entry::Asking(asking)) => return Err(asking.clone()),
            _ => {}
        }
        if entries.len() >= MAX_KNOWN {
            let now = Instant::now();
            entries.retain(|_, entry| !matches!(entry, Entry::Known { until, .. } if *until <= now));
        }
        if entries.len() >= MAX_KNOWN {
            return Ok(Word::Unclear);
        }
        let (tell, asking) = watch::channel(None);
        entries.insert(service.clone(), Entry::Asking(asking.clone()));
        // In a task of its own: the client that asked first may go away, the others still want to know.
        tokio::spawn(self.clone().ask(service.clone(), tell));
        Err(asking)
    }

    async fn ask(self, service: ServiceName, tell: watch::Sender<Option<Word>>) {
        let word = match self.0.questions.try_acquire() {
            Ok(_turn) => self.question(&service).await,
            Err(_) => Word::Unclear,
        };
        let keep = match &word {
            Word::Owner(_) => Some(self.0.keep),
            Word::Nobody => Some(NO.min(self.0.keep)),
            Word::Unclear => None,
        };
        match keep {
            Some(keep) => {
                let entry = Entry::Known { word: word.clone(), until: Instant::now() + keep };
                self.entries().insert(service, entry);
            }
            None => drop(self.entries().remove(&service)),
        }
        tell.send_replace(Some(word));
    }

    async fn question(&self, service: &ServiceName) -> Word {
        match tokio::time::timeout(ANSWER, self.0.gateway.get(service.as_str())).await {
            Ok(Ok(Some(function))) if function.name == service.as_str() => {
                function.labels.get(GIT_OWNER).cloned().map_or(Word::Nobody, Word::Owner)
            }
            Ok(Ok(Some(_))) => Word::Unclear,
            Ok(Ok(None)) => Word::Nobody,
            Ok(Err(error)) => {
                tracing::error!(function = %service, cause = chain(&error), "the gateway did not say whose a function is");
                Word::Unclear
            }
            Err(_) => {
                tracing::error!(function = %service, "the gateway took too long to say whose a function is");
                Word::Unclear
            }
        }
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, HashMap<ServiceName, Entry>> {
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
