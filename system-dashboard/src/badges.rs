//! Addresses of badges. They carry their own proof, so that who has one sees the badge without being signed in.
//!
//! The proof is for the owner's number at its host and the function's name at the gateway: it goes on to hold after a new
//! deployment, and not for what somebody else deploys under the same name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sdk::gateway::{FunctionStatus, Gateway};
use sdk::id::ServiceName;
use sdk::labels;
use sdk::signing::Key;
use secrecy::SecretString;
use tokio::sync::{OnceCell, Semaphore};

use crate::pages::standing::{self, Standing};

const PURPOSE: &str = "system-dashboard/badge";
/// How long the gateway's word counts: a badge that many look at is asked for once in that time.
const FRESH: Duration = Duration::from_secs(1);
/// So many names are remembered; of more each is asked for.
const MOST: usize = 1000;
/// So many questions are open at the gateway at the same time; more wait.
const OPEN: usize = 16;

/// Makes addresses, and knows how functions stand.
pub(crate) struct Badges {
    key: Key,
    known: Mutex<HashMap<ServiceName, Asked>>,
    turns: Semaphore,
}

/// What a badge needs to know of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    /// What the proof in its address is for.
    proven: String,
    pub(crate) standing: Standing,
}

/// The gateway does not say. It has been told to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Silent;

type Answer = Result<Option<Known>, Silent>;

struct Asked {
    at: Instant,
    answer: Arc<OnceCell<Answer>>,
}

impl Badges {
    pub(crate) fn new(payload_secret: &SecretString) -> Self {
        Self { key: Key::derive(payload_secret, PURPOSE), known: Mutex::default(), turns: Semaphore::new(OPEN) }
    }

    /// Where a function's badge is at `system.<domain>`. None for a function that is nobody's by its labels, or whose name
    /// does not begin with the login that they say.
    pub(crate) fn path(&self, function: &FunctionStatus) -> Option<String> {
        let owner = function.labels.get(labels::GIT_OWNER)?;
        let name = function.name.strip_prefix(owner.as_str())?.strip_prefix('-')?;
        let proof = self.key.proof(proven(function)?.as_bytes());
        Some(format!("/badge/{owner}/{name}/{proof}.svg"))
    }

    /// Whether a proof is the one for this function.
    pub(crate) fn is_good(&self, known: &Known, proof: &str) -> bool {
        self.key.is_proof(known.proven.as_bytes(), proof)
    }

    /// A function that somebody owns, by its name at the gateway.
    pub(crate) async fn find(&self, gateway: &Gateway, name: &ServiceName) -> Answer {
        self.cell(name).get_or_init(|| self.ask(gateway, name)).await.clone()
    }

    /// All who ask for a name within a moment wait for one answer.
    fn cell(&self, name: &ServiceName) -> Arc<OnceCell<Answer>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, answer) = (Instant::now(), Arc::default());
        if let Some(asked) = known.get(name).filter(|asked| asked.is_of_use(now)) {
            return Arc::clone(&asked.answer);
        }
        if known.len() >= MOST {
            known.retain(|_, asked| asked.is_of_use(now));
        }
        if known.len() < MOST || known.contains_key(name) {
            known.insert(name.clone(), Asked { at: now, answer: Arc::clone(&answer) });
        }
        answer
    }

    async fn ask(&self, gateway: &Gateway, name: &ServiceName) -> Answer {
        let Ok(_turn) = self.turns.acquire().await else { return Err(Silent) };
        match gateway.get(name.as_str()).await {
            Ok(found) => Ok(found.as_ref().and_then(known)),
            Err(error) => {
                tracing::warn!(function = %name, error = sdk::failure::chain(&error), "A badge cannot be shown");
                Err(Silent)
            }
        }
    }
}

impl Asked {
    /// Fresh, or still waited for by somebody.
    fn is_of_use(&self, now: Instant) -> bool {
        let is_waited_for = !self.answer.initialized() && Arc::strong_count(&self.answer) > 1;
        is_waited_for || now.saturating_duration_since(self.at) < FRESH
    }
}

fn known(function: &FunctionStatus) -> Option<Known> {
    Some(Known { proven: proven(function)?, standing: standing::of(function) })
}

/// Whose a function is, and which. No part has a line break in it.
fn proven(function: &FunctionStatus) -> Option<String> {
    let label = |name: &str| function.labels.get(name).filter(|value| !value.is_empty() && !value.contains('\n'));
    let id = label(labels::GIT_OWNER_ID)?.parse::<u64>().ok().filter(|id| *id != 0)?;
    let host = label(labels::GIT_SCM).filter(|_| label(labels::GIT_CLOUD).is_some_and(|cloud| cloud == "1"))?;
    Some(format!("{host}\n{id}\n{}", function.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str, host: &str, id: &str) -> FunctionStatus {
        let labels = [
            (labels::GIT_CLOUD, "1"),
            (labels::GIT_OWNER, "alice"),
            (labels::GIT_OWNER_ID, id),
            (labels::GIT_SCM, host),
        ];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        FunctionStatus { name: name.to_owned(), labels, ..FunctionStatus::default() }
    }

    fn proof(badges: &Badges, function: &FunctionStatus) -> String {
        let path = badges.path(function).unwrap();
        path.rsplit('/').next().unwrap().strip_suffix(".svg").unwrap().to_owned()
    }

    #[test]
    fn a_proof_is_for_one_owners_one_function_however_it_stands() {
        let badges = Badges::new(&"secret".into());
        let cart = function("alice-cart", "git.localhost", "7");
        let good = proof(&badges, &cart);
        assert_eq!(badges.path(&cart), Some(format!("/badge/alice/cart/{good}.svg")));
        let later = FunctionStatus { replicas: 3, image: "other".to_owned(), ..cart.clone() };
        assert!(badges.is_good(&known(&later).unwrap(), &good));
        let others = [
            ("alice-cart", "git.localhost", "8"),
            ("alice-cart", "github.com", "7"),
            ("alice-mail", "git.localhost", "7"),
        ];
        for (name, host, id) in others {
            assert!(!badges.is_good(&known(&function(name, host, id)).unwrap(), &good), "{name} {host} {id}");
        }
        assert!(!Badges::new(&"other".into()).is_good(&known(&cart).unwrap(), &good));
    }

    #[test]
    fn what_is_nobodys_has_no_badge() {
        let badges = Badges::new(&"secret".into());
        for (host, id) in [("git.localhost", "0"), ("git.localhost", "x"), ("", "7"), ("a\n7", "7")] {
            let function = function("alice-cart", host, id);
            assert_eq!((badges.path(&function), known(&function)), (None, None), "{host:?} {id}");
        }
        let mut platform = function("alice-cart", "git.localhost", "7");
        platform.labels.remove(labels::GIT_CLOUD);
        assert_eq!(badges.path(&platform), None);
        assert_eq!(badges.path(&function("bob-cart", "git.localhost", "7")), None, "renamed meanwhile");
    }

    #[test]
    fn names_are_remembered_for_a_moment_and_never_too_many() {
        let badges = Badges::new(&"secret".into());
        let name = |n: usize| format!("alice-f{n}").parse::<ServiceName>().unwrap();
        let first = badges.cell(&name(0));
        assert!(Arc::ptr_eq(&first, &badges.cell(&name(0))));
        for n in 0..MOST + 50 {
            badges.cell(&name(n));
        }
        assert_eq!(badges.known.lock().unwrap().len(), MOST);
        let (beyond, again) = (badges.cell(&name(MOST)), badges.cell(&name(MOST)));
        assert!(!Arc::ptr_eq(&beyond, &again), "asked for anew");
        let later = |asked: &mut Asked| asked.at = asked.at.checked_sub(FRESH).unwrap();
        badges.known.lock().unwrap().values_mut().for_each(later);
        assert!(Arc::ptr_eq(&first, &badges.cell(&name(0))), "somebody waits for it still");
        badges.cell(&name(MOST));
        assert_eq!(badges.known.lock().unwrap().len(), 2);
        first.set(Err(Silent)).unwrap();
        assert!(!Arc::ptr_eq(&first, &badges.cell(&name(0))));
    }
}
