//! Whose a function is and who may call it, by the gateway's word.
//!
//! A name such as `a-b-c` may be `a`'s `b-c` or `a-b`'s `c`; only the label on the deployed function tells.
//! What the gateway says counts for a second, one question at a time for each function; no clear answer is a no.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sdk::access::Access;
use sdk::failure::chain;
use sdk::gateway::{FunctionStatus, Gateway};
use sdk::id::{Owner, OwnerId, ServiceName};
use sdk::labels::{ACCESS, GIT_OWNER, GIT_OWNER_ID, GIT_SCM};
use tokio::sync::{Semaphore, watch};

/// How long a no may be repeated without asking.
const NO: Duration = Duration::from_millis(100);
/// How long the gateway may take.
const ANSWER: Duration = Duration::from_secs(5);
/// How many questions may be open; a flood of invented names gets no further.
const AT_ONCE: usize = 64;
/// How many answers are remembered.
const MAX_KNOWN: usize = 10_000;

/// What the gateway knows of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The owner's login, as the label has it.
    pub(crate) login: String,
    /// Who the owner is. Its host is in the form of a label. None where the labels do not say it.
    pub(crate) owner: Option<OwnerId>,
    /// Who may call it.
    pub(crate) access: Access,
}

impl Facts {
    /// What labels and annotations say; nothing where they name no owner.
    fn read(function: &FunctionStatus) -> Option<Self> {
        let login = function.labels.get(GIT_OWNER)?.clone();
        let access = Access::of(function.annotations.get(ACCESS).map(String::as_str));
        Some(Self { login, owner: owner_id(function), access })
    }
}

/// Who a function's owner is, by its labels.
pub(crate) fn owner_id(function: &FunctionStatus) -> Option<OwnerId> {
    let host = function.labels.get(GIT_SCM).filter(|host| !host.is_empty())?.clone();
    let id = function.labels.get(GIT_OWNER_ID)?.parse().ok().filter(|id| *id != 0)?;
    Some(OwnerId { host, id })
}

/// What the gateway said about a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Word {
    /// It is some owner's.
    Owned(Arc<Facts>),
    /// There is no such function, or it is nobody's.
    Nobody,
    /// It said nothing that can be understood.
    Unclear,
}

/// Whether a request may go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The function is the owner's.
    Yes {
        facts: Arc<Facts>,
        /// Until when the gateway's word counts; `None` where it was just given.
        until: Option<Instant>,
    },
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
            (Word::Owned(facts), until) if facts.login == owner.as_str() => Verdict::Yes { facts, until },
            (Word::Owned(_) | Word::Nobody, _) => Verdict::No,
            (Word::Unclear, _) => Verdict::Unclear,
        }
    }

    async fn word(&self, service: &ServiceName) -> (Word, Option<Instant>) {
        let mut asking = match self.known_or_ask(service) {
            Ok((word, until)) => return (word, Some(until)),
            Err(asking) => asking,
        };
        // The one who asks may not live to tell; then nobody knows.
        let answer = asking.wait_for(Option::is_some).await;
        (answer.ok().and_then(|word| word.clone()).unwrap_or(Word::Unclear), None)
    }

    /// What is known and until when, or the question that is under way.
    fn known_or_ask(&self, service: &ServiceName) -> Result<(Word, Instant), watch::Receiver<Option<Word>>> {
        let mut entries = self.entries();
        let now = Instant::now();
        match entries.get(service) {
            Some(Entry::Known { word, until }) if *until > now => return Ok((word.clone(), *until)),
            Some(Entry::Asking(asking)) => return Err(asking.clone()),
            _ => {}
        }
        if entries.len() >= MAX_KNOWN {
            entries.retain(|_, entry| !matches!(entry, Entry::Known { until, .. } if *until <= now));
        }
        if entries.len() >= MAX_KNOWN {
            return Ok((Word::Unclear, now));
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
            Word::Owned(_) => Some(self.0.keep),
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
                Facts::read(&function).map_or(Word::Nobody, |facts| Word::Owned(Arc::new(facts)))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn function(labels: &[(&str, &str)], access: Option<&str>) -> FunctionStatus {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        FunctionStatus {
            name: "alice-fn".into(),
            labels: labels.iter().map(pair).collect(),
            annotations: access.map(|access| (ACCESS.to_owned(), access.to_owned())).into_iter().collect(),
            ..FunctionStatus::default()
        }
    }

    #[test]
    fn what_labels_do_not_say_clearly_is_not_said() {
        let whole = [(GIT_OWNER, "alice"), (GIT_OWNER_ID, "7"), (GIT_SCM, "github.com")];
        let facts = Facts::read(&function(&whole, Some("members"))).unwrap();
        assert_eq!(facts.owner, Some(OwnerId { host: "github.com".into(), id: 7 }));
        assert_eq!((facts.login.as_str(), facts.access), ("alice", Access::Members));
        assert_eq!(Facts::read(&function(&whole, None)).unwrap().access, Access::Public);
        assert_eq!(Facts::read(&function(&whole, Some("Public"))).unwrap().access, Access::Owner);
        assert_eq!(Facts::read(&function(&whole[1..], None)), None);
        for id in ["0", "", "-1", "7,", "seven", "99999999999999999999"] {
            let labels = [(GIT_OWNER, "alice"), (GIT_OWNER_ID, id), (GIT_SCM, "github.com")];
            assert_eq!(Facts::read(&function(&labels, None)).unwrap().owner, None, "{id}");
        }
        for scm in [&whole[..2], &[(GIT_OWNER, "alice"), (GIT_OWNER_ID, "7"), (GIT_SCM, "")]] {
            assert_eq!(Facts::read(&function(scm, None)).unwrap().owner, None);
        }
    }
}
