//! Where lines come from: `function-logs` keeps those of repositories' functions, and for all others there is the gateway.

use std::io;

use chrono::DateTime;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _, future};
use sdk::function_log::{FOLLOW_LOGS, FUNCTION_LOGS_FUNCTION, FunctionLogRequest, Line};
use sdk::gateway::{FunctionStatus, LogLine, LogQuery};
use sdk::id::ServiceName;

use crate::inside::{Inside, owner_of};

/// Which lines are wanted.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) name: ServiceName,
    pub(super) follow: bool,
    pub(super) tail: Option<u32>,
    /// In milliseconds since 1970.
    pub(super) since: Option<u64>,
    /// The same.
    pub(super) until: Option<u64>,
    pub(super) grep: Option<String>,
    pub(super) instance: Option<String>,
}

type Lines = BoxStream<'static, io::Result<Line>>;

impl Question {
    pub(super) async fn ask(&self, inside: &Inside, function: &FunctionStatus) -> anyhow::Result<Lines> {
        if let Some(lines) = self.ask_keeper(inside, function).await? {
            return Ok(lines);
        }
        let query = LogQuery {
            since: self.since.and_then(|since| DateTime::from_timestamp_millis(i64::try_from(since).ok()?)),
            tail: self.tail,
            follow: self.follow,
            instance: self.instance.clone(),
        };
        let lines = inside.gateway.log(self.name.as_str(), &query).await?.map_ok(line);
        let (until, grep) = (self.until, self.grep.as_ref().map(|text| text.to_lowercase()));
        let is_wanted = move |line: &Line| {
            until.is_none_or(|until| line.at < until)
                && grep.as_ref().is_none_or(|text| line.text.to_lowercase().contains(text))
        };
        Ok(lines.try_filter(move |line| future::ready(is_wanted(line))).boxed())
    }

    /// `None` where nobody keeps this function's log.
    async fn ask_keeper(&self, inside: &Inside, function: &FunctionStatus) -> anyhow::Result<Option<Lines>> {
        let Some((owner_id, _)) = owner_of(function) else { return Ok(None) };
        let request = FunctionLogRequest {
            owner_id,
            function: self.name.clone(),
            since: self.since,
            until: self.until,
            grep: self.grep.clone(),
            instance: self.instance.clone(),
            tail: self.tail.map(|lines| usize::try_from(lines).unwrap_or(usize::MAX)),
        };
        let place = if self.follow { FOLLOW_LOGS } else { FUNCTION_LOGS_FUNCTION };
        inside.lines(place, &request).await
    }
}

fn line(line: LogLine) -> Line {
    let at = u64::try_from(line.timestamp.timestamp_millis()).unwrap_or(0);
    Line { at, instance: line.instance, text: line.text }
}
