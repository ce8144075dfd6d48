//! How a function wants to be asked whether it is ready and whether it is well, and one such question.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use http::StatusCode;
use http::uri::PathAndQuery;
use openfaas_runtime::parse_duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Annotations begin with one of these.
const READY: &str = "com.openfaas.ready.http";
const HEALTH: &str = "com.openfaas.health.http";
const LONGEST_PATH: usize = 1024;
const LONGEST_DELAY: Duration = Duration::from_secs(3600);
const LONGEST_PERIOD: Duration = Duration::from_secs(3600);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(300);
const MOST_FAILURES: u32 = 1000;
/// As much of an answer as is looked at: up to the status.
const STATUS_LINE: usize = "HTTP/1.1 200".len();

/// The two questions to a function's replicas.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Probes {
    /// May it be sent requests?
    pub(crate) ready: Probe,
    /// Does it have to be started anew?
    pub(crate) health: Probe,
}

/// When and how a question is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Probe {
    /// `None`: OpenFaaS' own paths, or whatever the container speaks.
    pub(crate) path: Option<String>,
    /// After the start.
    pub(crate) delay: Duration,
    pub(crate) period: Duration,
    pub(crate) timeout: Duration,
    /// Failures in a row that count.
    pub(crate) failures: u32,
}

impl Default for Probe {
    fn default() -> Self {
        Self {
            path: None,
            delay: Duration::ZERO,
            period: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            failures: 3,
        }
    }
}

impl Probes {
    /// Reads a deployment's annotations; an error is a sentence.
    pub(crate) fn of(annotations: &BTreeMap<String, String>) -> Result<Self, String> {
        Ok(Self { ready: Probe::of(annotations, READY)?, health: Probe::of(annotations, HEALTH)? })
    }
}

impl Probe {
    fn of(annotations: &BTreeMap<String, String>, prefix: &str) -> Result<Self, String> {
        let (default, seconds) = (Self::default(), Duration::from_secs);
        let time = |name: &str, limits: (Duration, Duration)| time(annotations, &format!("{prefix}.{name}"), limits);
        let short = time("initialDelay", (Duration::ZERO, LONGEST_DELAY))?;
        let delay = time("initialDelaySeconds", (Duration::ZERO, LONGEST_DELAY))?.or(short);
        Ok(Self {
            path: path(annotations, &format!("{prefix}.path"))?,
            delay: delay.unwrap_or(default.delay),
            period: time("periodSeconds", (seconds(1), LONGEST_PERIOD))?.unwrap_or(default.period),
            timeout: time("timeoutSeconds", (seconds(1), LONGEST_TIMEOUT))?.unwrap_or(default.timeout),
            failures: failures(annotations, &format!("{prefix}.failureThreshold"))?.unwrap_or(default.failures),
        })
    }
}

fn refuse(name: &str, text: &str, expected: impl fmt::Display) -> String {
    format!("the annotation {name} is \"{text}\" and has to be {expected}")
}

fn path(annotations: &BTreeMap<String, String>, name: &str) -> Result<Option<String>, String> {
    let Some(text) = annotations.get(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    let plain = text.starts_with('/') && text.len() <= LONGEST_PATH && text.bytes().all(|byte| byte.is_ascii_graphic());
    if plain && text.parse::<PathAndQuery>().is_ok() {
        return Ok(Some(text.clone()));
    }
    Err(refuse(name, text, "a path such as /healthz"))
}

/// A number of seconds, or a duration such as `30s`.
fn time(
    annotations: &BTreeMap<String, String>,
    name: &str,
    (least, most): (Duration, Duration),
) -> Result<Option<Duration>, String> {
    let Some(text) = annotations.get(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    let time = parse_duration(text).filter(|time| (least..=most).contains(time));
    let (least, most) = (least.as_secs(), most.as_secs());
    time.map(Some).ok_or_else(|| refuse(name, text, format_args!("a number of seconds from {least} to {most}")))
}

fn failures(annotations: &BTreeMap<String, String>, name: &str) -> Result<Option<u32>, String> {
    let Some(text) = annotations.get(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    let number = text.trim().parse().ok().filter(|number| (1..=MOST_FAILURES).contains(number));
    number.map(Some).ok_or_else(|| refuse(name, text, format_args!("a number from 1 to {MOST_FAILURES}")))
}

/// Why there is no HTTP status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unanswered {
    #[error("nothing listens on port {0}: {1}")]
    Refused(u16, String),
    #[error("no answer within {0:?}")]
    Silent(Duration),
    /// It listens, but speaks something else.
    #[error("the answer is not HTTP")]
    NotHttp,
}

/// The status a container answers a GET of this path with, on a connection of its own: that an old one still stands
/// says nothing about whether new ones are taken.
pub(super) async fn ask(address: SocketAddr, path: &str, limit: Duration) -> Result<StatusCode, Unanswered> {
    timeout(limit, exchange(address, path)).await.unwrap_or(Err(Unanswered::Silent(limit)))
}

/// No more is read than the status, and nothing is expected of what does not speak HTTP.
async fn exchange(address: SocketAddr, path: &str) -> Result<StatusCode, Unanswered> {
    let connected = TcpStream::connect(address).await;
    let mut stream = connected.map_err(|error| Unanswered::Refused(address.port(), error.to_string()))?;
    // By this name watchdogs leave a probe out of their access log.
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: kube-probe/of-gateway\r\nAccept: */*\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.map_err(|_| Unanswered::NotHttp)?;
    let mut line = [0; STATUS_LINE];
    stream.read_exact(&mut line).await.map_err(|_| Unanswered::NotHttp)?;
    let status = line.starts_with(b"HTTP/1.").then(|| StatusCode::from_bytes(&line[STATUS_LINE - 3..]).ok());
    status.flatten().ok_or(Unanswered::NotHttp)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Result<Probes, String> {
        Probes::of(&pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn annotations_are_read_in_both_spellings() {
        let probes = of(&[
            ("com.openfaas.health.http.path", "/healthz?deep=1"),
            ("com.openfaas.health.http.initialDelay", "30s"),
            ("com.openfaas.ready.http.initialDelaySeconds", "2"),
            ("com.openfaas.ready.http.periodSeconds", "1"),
            ("com.openfaas.ready.http.timeoutSeconds", "5"),
            ("com.openfaas.ready.http.failureThreshold", "7"),
            ("topic", "unrelated"),
        ])
        .unwrap();
        let seconds = Duration::from_secs;
        let health = Probe { path: Some("/healthz?deep=1".into()), delay: seconds(30), ..Probe::default() };
        let ready = Probe { path: None, delay: seconds(2), period: seconds(1), timeout: seconds(5), failures: 7 };
        assert_eq!(probes, Probes { ready, health });
        assert_eq!(of(&[]), Ok(Probes::default()));
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for (name, value) in [
            ("com.openfaas.health.http.path", "healthz"),
            ("com.openfaas.health.http.path", "/a b"),
            ("com.openfaas.health.http.path", "/a\r\nHost: evil"),
            ("com.openfaas.health.http.path", "http://evil/"),
            ("com.openfaas.health.http.initialDelay", "soon"),
            ("com.openfaas.health.http.initialDelaySeconds", "-1"),
            ("com.openfaas.ready.http.periodSeconds", "0"),
            ("com.openfaas.ready.http.periodSeconds", "1e99"),
            ("com.openfaas.ready.http.timeoutSeconds", "301"),
            ("com.openfaas.ready.http.failureThreshold", "0"),
            ("com.openfaas.ready.http.failureThreshold", "2.5"),
        ] {
            let sentence = of(&[(name, value)]).unwrap_err();
            assert!(sentence.contains(name) && sentence.contains("has to be"), "{sentence}");
        }
    }

    /// Answers one connection with these bytes; `None` is silence.
    async fn server(answer: Option<&'static [u8]>) -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            match answer {
                Some(answer) => {
                    stream.write_all(answer).await.unwrap();
                    // What was asked is read, so that the end is no reset.
                    let _ = stream.read(&mut [0; 1024]).await;
                }
                None => std::future::pending().await,
            }
        });
        address
    }

    #[tokio::test]
    async fn a_status_is_told_from_another_protocol_and_from_silence() {
        let limit = Duration::from_millis(300);
        for (answer, expected) in [
            (Some(&b"HTTP/1.1 204 No Content\r\n\r\n"[..]), Ok(StatusCode::NO_CONTENT)),
            (Some(b"HTTP/1.0 503 Busy\r\n"), Ok(StatusCode::SERVICE_UNAVAILABLE)),
            (Some(b"220 mail.example.com ESMTP\r\n"), Err(Unanswered::NotHttp)),
            (Some(b"\0\0\x12\x04\0\0\0\0\0\0\0\0\0"), Err(Unanswered::NotHttp)),
            (Some(b""), Err(Unanswered::NotHttp)),
            (None, Err(Unanswered::Silent(limit))),
        ] {
            assert_eq!(ask(server(answer).await, "/", limit).await, expected, "{answer:?}");
        }
        let closed = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
        assert!(matches!(ask(closed, "/", limit).await, Err(Unanswered::Refused(..))));
    }
}
