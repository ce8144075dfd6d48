//! What is open in somebody's name. It ends with the session or the API token that opened it.
//!
//! Only what lasts is kept account of: tunnels, and answers that are not there at once.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use session::Claims;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::notices::Standing;
use super::{Following, seconds};

/// An answer that begins sooner is not kept account of while it is waited for.
const SOON: Duration = Duration::from_millis(100);
/// How often it is looked whose time is over.
const LOOK: Duration = Duration::from_millis(500);
/// After so many silences of of-auth's, nothing stays open: what ends meanwhile may never be told, as of-auth keeps the
/// end of an API token in mind for a minute.
const SILENCES: u32 = 2;

/// All that is open, by session.
#[derive(Debug, Default)]
pub(super) struct Open(Mutex<HashMap<String, Vec<Entry>>>);

#[derive(Debug)]
struct Entry {
    ending: Weak<Ending>,
    last: Option<u64>,
}

/// The end of one tunnel or answer. It is kept account of for as long as this is held.
#[derive(Debug)]
pub(crate) struct Ending {
    token: CancellationToken,
    /// The one who told it stays to tell its end, whatever the configuration is by then.
    _following: Arc<Following>,
}

impl Ending {
    /// Cancelled when it comes.
    pub(crate) fn token(&self) -> &CancellationToken {
        &self.token
    }
}

impl Open {
    /// Ends what a session has opened.
    pub(super) fn end(&self, sid: &str) {
        let entries = self.all().remove(sid);
        end(entries.into_iter().flatten());
    }

    /// Ends all there is.
    fn end_all(&self) {
        let entries = std::mem::take(&mut *self.all());
        end(entries.into_values().flatten());
    }

    /// Ends what is over at `now`, and forgets what has ended by itself.
    fn look(&self, now: u64) {
        let mut over = Vec::new();
        self.all().retain(|_, entries| {
            over.extend(entries.extract_if(.., |entry| entry.last.is_some_and(|last| last <= now)));
            entries.retain(|entry| entry.ending.strong_count() > 0);
            !entries.is_empty()
        });
        end(over.into_iter());
    }

    fn put(&self, sid: &str, entry: Entry) {
        self.all().entry(sid.to_owned()).or_default().push(entry);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Vec<Entry>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn end(entries: impl Iterator<Item = Entry>) {
    let open = entries.filter_map(|entry| entry.ending.upgrade()).inspect(|ending| ending.token.cancel()).count();
    if open > 0 {
        tracing::info!(open, "what was open for a session or an API token has ended with it");
    }
}

/// Ends what is over, for as long as it runs.
pub(super) async fn tend(standing: Arc<Standing>) {
    let mut silent = None;
    loop {
        tokio::time::sleep(LOOK).await;
        standing.open().look(seconds());
        let now = Instant::now();
        let since = *silent.get_or_insert(now);
        if standing.is_live(now) {
            silent = None;
        } else if now - since >= standing.silence() * SILENCES {
            standing.open().end_all();
            silent = None;
        }
    }
}

/// Who opened something, and who tells when that is over.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    pub(super) claims: Arc<Claims>,
    pub(super) following: Arc<Following>,
}

impl Watch {
    /// Keeps account of a tunnel or an answer, which ends with `within` too.
    pub(crate) fn begin(&self, within: Option<&CancellationToken>) -> Arc<Ending> {
        let token = within.map_or_else(CancellationToken::new, CancellationToken::child_token);
        let ending = Arc::new(Ending { token, _following: self.following.clone() });
        let (standing, sid) = (&self.following.standing, &self.claims.sid);
        standing.open().put(sid, Entry { ending: Arc::downgrade(&ending), last: self.claims.last });
        // It may have been told just before.
        if standing.is_revoked(sid) {
            standing.open().end(sid);
        }
        ending
    }

    /// Whether the session or token itself has ended. Otherwise what was open has ended because nobody says whether it has.
    pub(crate) fn has_ended(&self) -> bool {
        let over = self.claims.last.is_some_and(|last| last <= seconds());
        over || self.following.standing.is_revoked(&self.claims.sid)
    }
}

/// Waits for an answer's beginning on behalf of who is watched, if somebody is.
///
/// # Errors
/// The watch of who may not have the answer any more.
pub(crate) async fn unless_over<'a, F: Future>(
    watch: Option<&'a Watch>,
    mut awaited: Pin<&mut F>,
) -> Result<F::Output, &'a Watch> {
    let Some(watch) = watch else { return Ok(awaited.await) };
    if let Ok(output) = tokio::time::timeout(SOON, awaited.as_mut()).await {
        return Ok(output);
    }
    let ending = watch.begin(None);
    tokio::select! {
        biased;
        () = ending.token.cancelled() => Err(watch),
        output = awaited => Ok(output),
    }
}

/// The same for an answer's body, which mostly is over before it is worth watching.
#[derive(Debug)]
pub(crate) struct Watched {
    watch: Watch,
    seen: bool,
    waiting: Option<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    ending: Arc<Ending>,
    ended: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Watched {
    pub(crate) fn new(watch: Watch) -> Self {
        Self { watch, seen: false, waiting: None }
    }

    /// True if the body has to break off. `there` is whether a part of it, or its end, is.
    pub(crate) fn is_over(&mut self, there: bool, context: &mut Context<'_>) -> bool {
        if there && !self.seen {
            self.seen = true;
            return false;
        }
        let waiting = self.waiting.get_or_insert_with(|| {
            let ending = self.watch.begin(None);
            let ended = Box::pin(ending.token.clone().cancelled_owned());
            Waiting { ending, ended }
        });
        if there {
            waiting.ending.token.is_cancelled()
        } else {
            waiting.ended.as_mut().poll(context) == Poll::Ready(())
        }
    }
}
