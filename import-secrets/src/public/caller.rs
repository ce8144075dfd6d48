//! Who asks, and what that one may ask.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use sdk::failure::Failure;
use sdk::id::{Owner, OwnerId};
use sdk::identity::{Identity, Role};
use sdk::signing::SIGNATURE_HEADER;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::app::App;
use crate::names;

/// So many callers are served at the same time; imports need processors, too.
const AT_ONCE: usize = 2;
/// A caller waits so long for the others.
const PATIENCE: Duration = Duration::from_secs(5);

/// Somebody who proved who it is.
#[derive(Debug)]
pub(crate) enum Caller {
    /// A part of the platform, or its operator: who has the payload secret.
    Platform,
    /// A person, of whom the router says so.
    Person(Identity),
}

impl Caller {
    /// Who signed the request, or of whom the router says that it comes.
    pub(crate) fn prove(app: &App, method: &Method, headers: &HeaderMap, body: &[u8]) -> Result<Self, Failure> {
        if headers.contains_key(SIGNATURE_HEADER) {
            let signed = app.key.verify(method, headers, body);
            return signed.map(|()| Self::Platform).map_err(|error| Failure::unauthorized(error.to_string()));
        }
        match app.identity.read(headers) {
            Ok(Some(identity)) => Ok(Self::Person(identity)),
            Ok(None) => Err(Failure::unauthorized("sign in first, or send an API token")),
            Err(error) => Err(Failure::unauthorized("it is not proven who asks").because(error)),
        }
    }

    /// Whether an owner's secrets are this caller's to see.
    pub(crate) fn may_see(&self, owner: &OwnerId) -> bool {
        match self {
            Self::Platform => true,
            Self::Person(person) => person.role_at(owner).is_some_and(|role| role >= Role::Member),
        }
    }

    /// Whether a secret of this name in the stage is one of an owner's that the caller belongs to. A name that another
    /// tenant can have made, too, is that tenant's.
    pub(crate) fn may_use(&self, app: &App, name: &str) -> bool {
        let Self::Person(person) = self else { return true };
        let logins = logins(person);
        logins.iter().any(|login| {
            let claimant = || app.customers.other_claimant(login, name);
            names::own(login, name).is_some() && claimant().is_none_or(|claimant| logins.contains(&claimant))
        })
    }

    fn subject(&self) -> String {
        match self {
            Self::Platform => "platform".to_owned(),
            Self::Person(person) => person.subject(),
        }
    }
}

/// The owners that somebody is at least a member of.
fn logins(person: &Identity) -> Vec<Owner> {
    let organisations = person.organisations.iter().filter(|organisation| organisation.role >= Role::Member);
    organisations.map(|organisation| organisation.login.clone()).chain([person.login.clone()]).collect()
}

/// Those that are being served. Opening takes time of a processor, so nobody gets more than one turn at a time.
pub(crate) struct Callers {
    busy: Mutex<HashSet<String>>,
    places: Arc<Semaphore>,
}

/// A caller's turn; it ends when this is dropped.
pub(crate) struct Turn {
    app: App,
    subject: String,
    place: Option<OwnedSemaphorePermit>,
}

impl Default for Callers {
    fn default() -> Self {
        Self { busy: Mutex::default(), places: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Callers {
    /// A turn for the caller.
    ///
    /// # Errors
    /// 429 where it has one already, or too many others do.
    pub(crate) async fn turn(app: &App, caller: &Caller) -> Result<Turn, Failure> {
        let later = |why| Failure::new(StatusCode::TOO_MANY_REQUESTS, why).not_before(Duration::from_secs(1));
        let subject = caller.subject();
        if !app.callers.busy().insert(subject.clone()) {
            return Err(later("your last request is still being worked on"));
        }
        // From here on the subject is free again whatever happens.
        let mut turn = Turn { app: app.clone(), subject, place: None };
        let place = tokio::time::timeout(PATIENCE, Arc::clone(&app.callers.places).acquire_owned());
        turn.place = place.await.ok().and_then(Result::ok);
        if turn.place.is_some() { Ok(turn) } else { Err(later("others are being served: try again")) }
    }

    fn busy(&self) -> MutexGuard<'_, HashSet<String>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.app.callers.busy().remove(&self.subject);
    }
}
