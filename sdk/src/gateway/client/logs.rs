//! Reading functions' logs.

use chrono::{DateTime, SecondsFormat, Utc};
use futures_util::{Stream, TryStreamExt};
use secrecy::ExposeSecret;
use tokio_util::codec::{FramedRead, LinesCodec};
use tokio_util::io::StreamReader;
use url::Url;

use super::{Gateway, GatewayError, MAX_LOG_LINE};
use crate::gateway::LogLine;

/// Which lines of a function's log are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// From then on; where unset it is the gateway that decides, and ours gives the last five minutes.
    pub since: Option<DateTime<Utc>>,
    /// So many old lines of each replica; all where unset.
    pub tail: Option<u32>,
    /// Go on with what is written from now on, by the replicas that there are now.
    pub follow: bool,
    /// Only this replica's.
    pub instance: Option<String>,
}

impl Gateway {
    /// A function's log. The stream ends when the gateway ends it.
    ///
    /// # Errors
    /// When the gateway refuses; the stream's items fail when it breaks off or sends what is no log line.
    pub async fn log(
        &self,
        name: &str,
        query: &LogQuery,
    ) -> Result<impl Stream<Item = std::io::Result<LogLine>> + Send + use<>, GatewayError> {
        let operation = format!("the log of {name}");
        let request = self.http.get(self.log_url(name, query));
        let request = request.basic_auth(&self.user, Some(self.password.expose_secret()));
        let response = self.send(request, &operation).await?;
        let bytes = response.bytes_stream().map_err(std::io::Error::other);
        let lines = FramedRead::new(StreamReader::new(bytes), LinesCodec::new_with_max_length(MAX_LOG_LINE));
        Ok(lines
            .map_err(std::io::Error::other)
            .and_then(|line| async move { serde_json::from_str(&line).map_err(std::io::Error::other) }))
    }

    fn log_url(&self, name: &str, query: &LogQuery) -> Url {
        let tail = query.tail.map_or_else(|| "-1".to_owned(), |lines| lines.to_string());
        let mut url = self.url("system/logs");
        let mut pairs = url.query_pairs_mut();
        pairs.extend_pairs([("name", name), ("tail", &tail), ("follow", if query.follow { "true" } else { "false" })]);
        if let Some(since) = query.since {
            pairs.append_pair("since", &since.to_rfc3339_opts(SecondsFormat::Nanos, true));
        }
        if let Some(instance) = &query.instance {
            pairs.append_pair("instance", instance);
        }
        drop(pairs);
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_says_what_is_wanted_and_names_cannot_add_to_it() {
        let gateway = Gateway::new("http://gateway:8080/".parse().unwrap(), "user", "password".into());
        let bare = gateway.log_url("a&follow=true", &LogQuery::default());
        assert_eq!(bare.as_str(), "http://gateway:8080/system/logs?name=a%26follow%3Dtrue&tail=-1&follow=false");
        let query = LogQuery {
            since: DateTime::from_timestamp(1, 5),
            tail: Some(3),
            follow: true,
            instance: Some("a b".to_owned()),
        };
        assert_eq!(
            gateway.log_url("alice-a", &query).query().unwrap(),
            "name=alice-a&tail=3&follow=true&since=1970-01-01T00%3A00%3A01.000000005Z&instance=a+b"
        );
    }
}
