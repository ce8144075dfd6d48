//! At start: what the last process left half done is undone, and who was not told is told. Messages do so for their own
//! owner, too; this is for owners who send none.

use std::time::Duration;

use sdk::call::CallId;
use sdk::id::{Owner, OwnerId};

use crate::app::App;
use crate::problem::Problem;
use crate::record::Record;

/// The gateway, or the queue behind it, may start later than this function.
const TRIES: u32 = 8;
/// Between the first tries; twice as long each time.
const PAUSE: Duration = Duration::from_millis(200);

impl App {
    /// Begins in the background, where there is a runtime to do so.
    pub(crate) fn begin_recovery(&self) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let app = self.clone();
            runtime.spawn(async move { app.recover_all().await });
        }
    }

    async fn recover_all(&self) {
        for attempt in 0..TRIES {
            match self.recover_once().await {
                Ok(()) => return,
                Err(error) if attempt + 1 == TRIES => {
                    let error = sdk::failure::chain(&error);
                    tracing::error!(error, "what was left half done of owners' secrets waits for their next messages");
                }
                Err(_) => tokio::time::sleep(PAUSE * 2u32.pow(attempt)).await,
            }
        }
    }

    /// All owners, also after one that fails.
    async fn recover_once(&self) -> Result<(), Problem> {
        let mut failed = None;
        let due = |record: Record| is_due(&record).then_some((record.owner, record.login));
        for (owner, login) in self.records.pick(due).await? {
            if let Err(error) = self.recover_one(&owner, &login).await {
                failed.get_or_insert(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    async fn recover_one(&self, owner: &OwnerId, login: &Owner) -> Result<(), Problem> {
        let _turn = self.records.turn(owner).await?;
        let mut open = self.records.open(owner, login).await?;
        self.recover(&mut open).await?;
        if is_due(&open.record) {
            let there = self.backend.list().await?;
            self.announce(&mut open, &there, &CallId::random()).await;
        }
        Ok(())
    }
}

fn is_due(record: &Record) -> bool {
    record.pending.is_some() || !record.stale.is_empty()
}
