//! The connection to NATS, and what can go wrong on it.

use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::response::Response;
use async_nats::jetstream::{self, Context, ErrorCode, context};
use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, Subject};
use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout};

use crate::error::QueueError;
use crate::options::{Credentials, Nats};

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(5);
/// How long a start, or somebody who enqueues a call, waits for a server that is not there.
const PATIENCE: Duration = Duration::from_secs(10);
/// A connection that two of these get no answer on is taken for lost.
const PING: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Server {
    pub(super) client: Client,
    pub(super) context: Context,
    address: String,
}

/// Why NATS did not do what it was asked.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nobody listens there: the stream or consumer is missing, or `JetStream` is not (yet) running.
    Absent,
    /// No answer.
    Silent(String),
    Refused(jetstream::Error),
    TooLong,
}

impl Server {
    /// Waits a little for a server that is just starting. `connected` is called after each (re)connection.
    pub(super) async fn connect(nats: &Nats, connected: impl Fn() + Send + Sync + 'static) -> Result<Self, QueueError> {
        let until = Instant::now() + PATIENCE;
        let mut options = options(nats)?;
        options = options.event_callback(move |event| {
            match &event {
                Event::Connected => connected(),
                Event::Disconnected => tracing::warn!("The connection to NATS is lost; it is tried again."),
                other => tracing::warn!(event = %other, "NATS reports an event."),
            }
            std::future::ready(())
        });
        let addresses: Vec<String> = nats.address.split(',').map(|address| address.trim().to_owned()).collect();
        loop {
            let error = match options.clone().connect(addresses.as_slice()).await {
                Ok(client) => return Self::over(client, nats).await,
                Err(error) => error,
            };
            let hopeless = matches!(
                error.kind(),
                ConnectErrorKind::ServerParse
                    | ConnectErrorKind::Authentication
                    | ConnectErrorKind::AuthorizationViolation
                    | ConnectErrorKind::Tls
            );
            if hopeless || Instant::now() >= until {
                return Err(QueueError::Unreachable { address: nats.address.clone(), detail: error.to_string() });
            }
            sleep(PAUSE).await;
        }
    }

    async fn over(client: Client, nats: &Nats) -> Result<Self, QueueError> {
        let context = context::ContextBuilder::new().timeout(ANSWER).build(client.clone());
        let server = Self { client, context, address: nats.address.clone() };
        let until = Instant::now() + PATIENCE;
        loop {
            match server.api::<_, serde_json::Value>("INFO".to_owned(), &()).await {
                Ok(_) => return Ok(server),
                Err(Failure::Absent) if Instant::now() < until => sleep(PAUSE).await,
                Err(Failure::Absent) => return Err(QueueError::NoJetStream(server.address)),
                Err(failure) => return Err(server.error("say how it is", failure)),
            }
        }
    }

    /// A request to `JetStream` itself.
    pub(super) async fn api<T, V>(&self, subject: String, payload: &T) -> Result<V, Failure>
    where
        T: Serialize + ?Sized,
        V: DeserializeOwned,
    {
        match self.context.request(subject, payload).await {
            Ok(Response::Ok(value)) => Ok(value),
            Ok(Response::Err { error }) => Err(Failure::Refused(error)),
            Err(error) => Err(match error.kind() {
                context::RequestErrorKind::NoResponders => Failure::Absent,
                _ => Failure::Silent(error.to_string()),
            }),
        }
    }

    /// Stores a message; answers with its number.
    pub(super) async fn publish(&self, subject: &str, message: PublishMessage) -> Result<u64, Failure> {
        let sent = self.context.send_publish(subject.to_owned(), message).await;
        let stored = match sent {
            Ok(acknowledgement) => acknowledgement.await,
            Err(error) => Err(error),
        };
        let error = match stored {
            Ok(stored) => return Ok(stored.sequence),
            Err(error) => error,
        };
        Err(match error.kind() {
            context::PublishErrorKind::StreamNotFound => Failure::Absent,
            context::PublishErrorKind::MaxPayloadExceeded => Failure::TooLong,
            _ => match refusal(&error) {
                Some(refusal) => Failure::Refused(refusal),
                None => Failure::Silent(error.to_string()),
            },
        })
    }

    /// Tells NATS how a message ended, and waits until it knows.
    pub(super) async fn acknowledge(&self, reply: &Subject, how: Bytes, patience: Duration) -> Result<(), QueueError> {
        let until = Instant::now() + patience;
        let mut pauses = Pauses::new(until);
        loop {
            let answer = timeout(ANSWER, self.client.request(reply.clone(), how.clone())).await;
            let failure = match answer {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(error)) if error.kind() == async_nats::RequestErrorKind::NoResponders => Failure::Absent,
                Ok(Err(error)) => Failure::Silent(error.to_string()),
                Err(_) => Failure::Silent("no answer".to_owned()),
            };
            if !pauses.next().await {
                return Err(self.error("take an acknowledgement", failure));
            }
        }
    }

    /// Fails at once while the connection is known to be lost: whoever looks in regularly need not wait for that.
    pub(super) fn connected(&self, what: &'static str) -> Result<(), QueueError> {
        match self.client.connection_state() {
            State::Connected => Ok(()),
            State::Pending | State::Disconnected => {
                Err(self.error(what, Failure::Silent("the connection is lost, and is tried again".to_owned())))
            }
        }
    }

    /// The pauses between attempts to enqueue.
    pub(super) fn pauses(&self) -> Pauses {
        Pauses::new(Instant::now() + PATIENCE)
    }

    pub(super) fn error(&self, what: &'static str, failure: Failure) -> QueueError {
        let unreachable = |detail: String| QueueError::Unreachable { address: self.address.clone(), detail };
        match failure {
            Failure::Absent => unreachable(format!("nobody there could {what}")),
            Failure::Silent(detail) => unreachable(detail),
            Failure::TooLong => QueueError::HeadTooLong,
            Failure::Refused(error) => match error.error_code() {
                ErrorCode::JETSTREAM_NOT_ENABLED | ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT => {
                    QueueError::NoJetStream(self.address.clone())
                }
                ErrorCode::STORAGE_RESOURCES_EXCEEDED
                | ErrorCode::INSUFFICIENT_RESOURCES
                | ErrorCode::ACCOUNT_RESOURCES_EXCEEDED
                | ErrorCode::STREAM_STORE_FAILED => QueueError::NoRoom(error.to_string()),
                _ => QueueError::Refused { what, detail: error.to_string() },
            },
        }
    }
}

impl Failure {
    pub(super) fn is(&self, code: ErrorCode) -> bool {
        matches!(self, Self::Refused(error) if error.error_code() == code)
    }

    /// Whether the same request may succeed a little later.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Absent | Self::Silent(_))
    }
}

/// Growing pauses up to a moment.
pub(super) struct Pauses {
    until: Instant,
    next: Duration,
}

impl Pauses {
    fn new(until: Instant) -> Self {
        Self { until, next: PAUSE }
    }

    /// Waits; false when there is no more time.
    pub(super) async fn next(&mut self) -> bool {
        if Instant::now() + self.next >= self.until {
            return false;
        }
        sleep(self.next).await;
        self.next = (self.next * 2).min(LONGEST_PAUSE);
        true
    }
}

/// What the server itself said.
fn refusal(error: &(dyn std::error::Error + 'static)) -> Option<jetstream::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(refusal) = error.downcast_ref::<jetstream::Error>() {
            return Some(refusal.clone());
        }
        cause = error.source();
    }
    None
}

fn options(nats: &Nats) -> Result<ConnectOptions, QueueError> {
    let text = |secret: &SecretString| secret.expose_secret().trim().to_owned();
    let options = ConnectOptions::new()
        .name("of-gateway")
        .request_timeout(Some(ANSWER))
        .ping_interval(PING)
        .reconnect_delay_callback(|attempts| LONGEST_PAUSE.min(PAUSE * u32::try_from(attempts).unwrap_or(u32::MAX)));
    let options = match &nats.authorities {
        Some(path) => options.add_root_certificates(path.clone()),
        None => options,
    };
    Ok(match &nats.credentials {
        Credentials::None => options,
        Credentials::Password { user, password } => options.user_and_password(user.clone(), text(password)),
        Credentials::Token(token) => options.token(text(token)),
        Credentials::Seed(seed) => options.nkey(text(seed)),
        Credentials::File(content) => {
            options.credentials(content.expose_secret()).map_err(|error| QueueError::Credentials(error.to_string()))?
        }
    })
}
