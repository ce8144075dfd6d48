//! A function's log at the gateway.

use std::io;
use std::time::Duration;

use chrono::DateTime;
use futures_util::{Stream, TryStreamExt as _};
use sdk::gateway::{Gateway, GatewayError, LogQuery};
use tokio::time::{error::Elapsed, timeout};

use crate::layout::Source;
use crate::record::Record;

/// The gateway begins to answer at once, however long the answer goes on.
const BEGIN: Duration = Duration::from_secs(15);

/// A log that is not to be had at the gateway.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    #[error("the gateway does not begin to answer")]
    Silent(#[from] Elapsed),
    #[error("the function is not there any more, or somebody else's")]
    NotTheirs,
}

/// What a function's replicas wrote from `since` on, in nanoseconds since 1970, and with `follow` what they write.
pub(crate) async fn open(
    gateway: &Gateway,
    source: &Source,
    since: u64,
    follow: bool,
) -> Result<impl Stream<Item = io::Result<Record>> + Send + use<>, LogError> {
    let since = DateTime::from_timestamp_nanos(i64::try_from(since).unwrap_or(i64::MAX));
    let query = LogQuery { since: Some(since), follow, ..LogQuery::default() };
    let lines = timeout(BEGIN, gateway.log(&source.name, &query)).await??;
    // The gateway has chosen the replicas by now. Whose they are is looked at after that, so that a name that went to another
    // owner in between cannot bring lines of theirs.
    let function = gateway.get(&source.name).await?;
    if function.as_ref().and_then(Source::of).as_ref() != Some(source) {
        return Err(LogError::NotTheirs);
    }
    Ok(lines.map_ok(Record::from))
}
