//! The record of a push, as `pipeline-log` keeps it for who looks at it later.
//!
//! It is sent whenever something about it changes, never two messages at a time: what changes while one is on its way is in the
//! next. So a stack of many functions sends few, and the last one is always sent. A record that is lost fails nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sdk::call::{CallId, Functions};
use sdk::event::PushEvent;
use sdk::history::{PushRecord, RECORD_FUNCTION};
use sdk::status::State;
use tokio::sync::Notify;

/// The last one is sent again after these pauses: without it a push would seem to be under way for ever.
const AGAIN: [Duration; 3] = [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(4)];
/// How long the push waits for its record, which goes on its way after that, too.
const FLUSH_TIME: Duration = Duration::from_secs(3);

/// The record of one push.
#[derive(Debug)]
pub(crate) struct Record {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    functions: Functions,
    call: CallId,
    draft: Mutex<Draft>,
    /// All that is known is sent.
    idle: Notify,
}

#[derive(Debug)]
struct Draft {
    record: PushRecord,
    /// It is not sent as it is now.
    changed: bool,
    sending: bool,
}

impl Record {
    /// Begins the record of a push. There is none of what is only deployed anew, of a branch's end, and of nobody's.
    pub(crate) fn begin(functions: Functions, event: &PushEvent, call: &CallId) -> Option<Self> {
        if !event.restart.is_empty() || event.sha.is_zero() || event.owner_id == 0 {
            return None;
        }
        let draft = Draft { record: first(event, call), changed: true, sending: false };
        let shared = Shared { functions, call: call.clone(), draft: Mutex::new(draft), idle: Notify::new() };
        let record = Self { shared: Arc::new(shared) };
        record.update(|_| ());
        Some(record)
    }

    /// Changes the record, and has it sent.
    pub(crate) fn update(&self, change: impl FnOnce(&mut PushRecord)) {
        let mut draft = self.shared.draft();
        let before = draft.record.clone();
        change(&mut draft.record);
        draft.changed |= draft.record != before;
        if draft.changed && !draft.sending {
            draft.sending = true;
            tokio::spawn(Arc::clone(&self.shared).send_all());
        }
    }

    /// Waits until all is sent or given up, but never long.
    pub(crate) async fn flush(&self) {
        let _ = tokio::time::timeout(FLUSH_TIME, self.shared.wait()).await;
    }
}

impl Shared {
    fn draft(&self) -> MutexGuard<'_, Draft> {
        self.draft.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn wait(&self) {
        loop {
            let idle = self.idle.notified();
            tokio::pin!(idle);
            // From here on no change is missed.
            idle.as_mut().enable();
            if !self.draft().sending {
                return;
            }
            idle.await;
        }
    }

    async fn send_all(self: Arc<Self>) {
        while let Some(record) = self.next() {
            self.send(record).await;
        }
        self.idle.notify_waiters();
    }

    /// The record, if it was not sent as it is.
    fn next(&self) -> Option<PushRecord> {
        let mut draft = self.draft();
        draft.sending = draft.changed;
        std::mem::take(&mut draft.changed).then(|| draft.record.clone().bounded())
    }

    async fn send(&self, record: PushRecord) {
        let mut pauses = AGAIN.iter().filter(|_| record.state.is_final());
        while let Err(error) = self.functions.invoke(RECORD_FUNCTION, &record, &self.call).await {
            match pauses.next().filter(|_| error.is_worth_a_retry()) {
                Some(pause) => tokio::time::sleep(*pause).await,
                None => {
                    let (call_id, error) = (&self.call, sdk::failure::chain(&error));
                    tracing::warn!(%call_id, error, "The record of the push could not be kept");
                    return;
                }
            }
        }
    }
}

fn first(event: &PushEvent, call: &CallId) -> PushRecord {
    PushRecord {
        owner_id: event.owner_id(),
        owner: event.owner.clone(),
        repo: event.repo.clone(),
        repo_id: event.repo_id,
        sha: event.sha.clone(),
        call: call.to_string(),
        branch: event.branch.clone(),
        html_url: event.html_url.clone(),
        private: event.private,
        message: String::new(),
        author: String::new(),
        pusher: event.pusher.clone(),
        began: now(),
        ended: None,
        state: State::InProgress,
        description: String::new(),
        functions: Vec::new(),
        removed: Vec::new(),
    }
}

/// Milliseconds since 1970.
pub(crate) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
