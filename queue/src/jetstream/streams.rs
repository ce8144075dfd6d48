//! The streams of the queues, the stream of the dead letters, and one consumer per lane.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::jetstream::consumer::{self, PullConsumer, pull};
use async_nats::jetstream::stream::{Config, DiscardPolicy, Info, RetentionPolicy};
use async_nats::jetstream::{ErrorCode, stream};
use serde::Deserialize;
use serde_json::json;

use super::names;
use super::server::{Failure, Server};
use crate::call::Lane;
use crate::error::QueueError;
use crate::options::{Limits, Nats, Options};

/// A consumer that nobody asked for so long is removed; its function may be gone for good.
const INACTIVE: Duration = Duration::from_secs(30 * 24 * 3600);

pub(super) struct Streams {
    pub(super) server: Server,
    limits: Limits,
    lease: Duration,
    replicas: usize,
    /// Queues whose streams are known to be there.
    queues: Mutex<HashSet<Arc<str>>>,
    consumers: Mutex<HashMap<Lane, PullConsumer>>,
}

/// What a stream holds under which subjects.
pub(super) struct Contents {
    pub(super) first: u64,
    pub(super) messages: u64,
    pub(super) subjects: HashMap<String, u64>,
    /// How many subjects there are, whatever was asked for.
    pub(super) all: u64,
}

#[derive(Deserialize)]
struct Page<T> {
    total: usize,
    #[serde(alias = "streams", alias = "consumers")]
    items: Option<Vec<T>>,
}

#[derive(Deserialize)]
struct StreamInfo {
    state: State,
}

#[derive(Deserialize)]
struct State {
    messages: u64,
    first_seq: u64,
    #[serde(default)]
    num_subjects: u64,
    subjects: Option<HashMap<String, u64>>,
}

/// What is asked of a consumer's description.
#[derive(Deserialize)]
pub(super) struct ConsumerState {
    pub(super) name: String,
    pub(super) num_ack_pending: u64,
    pub(super) num_pending: u64,
}

impl Streams {
    pub(super) fn new(server: Server, nats: &Nats, options: &Options) -> Self {
        Self {
            server,
            limits: options.limits,
            lease: options.lease,
            replicas: nats.replicas.max(1),
            queues: Mutex::default(),
            consumers: Mutex::default(),
        }
    }

    /// Makes sure that a queue's stream is there.
    pub(super) async fn ensure(&self, queue: &Arc<str>) -> Result<(), QueueError> {
        if self.queues.lock().unwrap_or_else(PoisonError::into_inner).contains(queue) {
            return Ok(());
        }
        self.make(Config {
            name: names::stream(queue),
            subjects: vec![names::subjects(queue)],
            retention: RetentionPolicy::WorkQueue,
            discard: DiscardPolicy::New,
            max_messages: number(self.limits.calls),
            description: Some("Asynchronous calls of of-gateway.".to_owned()),
            ..self.common()
        })
        .await?;
        self.queues.lock().unwrap_or_else(PoisonError::into_inner).insert(Arc::clone(queue));
        Ok(())
    }

    /// The stream of dead letters; the oldest go first.
    pub(super) async fn ensure_dead(&self) -> Result<(), QueueError> {
        self.make(Config {
            name: names::DEAD_STREAM.to_owned(),
            subjects: vec![names::DEAD.to_owned()],
            max_messages: number(self.limits.dead.max(1)),
            description: Some("Asynchronous calls that of-gateway gave up.".to_owned()),
            ..self.common()
        })
        .await
    }

    fn common(&self) -> Config {
        Config { num_replicas: self.replicas, storage: stream::StorageType::File, ..Config::default() }
    }

    async fn make(&self, config: Config) -> Result<(), QueueError> {
        let what = "make a stream";
        let found = match self.server.api::<_, Info>(format!("STREAM.INFO.{}", config.name), &()).await {
            Ok(info) => info.config,
            Err(failure) if failure.is(ErrorCode::STREAM_NOT_FOUND) => {
                let made = self.server.api::<_, Info>(format!("STREAM.CREATE.{}", config.name), &config).await;
                return made.map(drop).map_err(|failure| self.server.error(what, failure));
            }
            Err(failure) => return Err(self.server.error(what, failure)),
        };
        if found.subjects != config.subjects || found.retention != config.retention {
            let detail = format!("it takes {:?} and keeps messages by {:?}", found.subjects, found.retention);
            return Err(QueueError::ForeignStream { stream: config.name, detail });
        }
        if (found.max_messages, found.num_replicas) != (config.max_messages, config.num_replicas) {
            let wanted = Config { max_messages: config.max_messages, num_replicas: config.num_replicas, ..found };
            let changed = self.server.api::<_, Info>(format!("STREAM.UPDATE.{}", wanted.name), &wanted).await;
            changed.map_err(|failure| self.server.error(what, failure))?;
        }
        Ok(())
    }

    /// The stream turned out to be missing.
    pub(super) fn forget(&self, queue: &Arc<str>) {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner).remove(queue);
    }

    /// A lane's consumer, made if it is not there.
    pub(super) async fn consumer(&self, lane: &Lane) -> Result<PullConsumer, QueueError> {
        if let Some(known) = self.consumers.lock().unwrap_or_else(PoisonError::into_inner).get(lane) {
            return Ok(known.clone());
        }
        self.ensure(&lane.queue).await?;
        let config = pull::Config {
            durable_name: Some(names::token(&lane.function)),
            filter_subject: names::filter(lane),
            ack_policy: consumer::AckPolicy::Explicit,
            ack_wait: self.lease,
            // We count attempts ourselves, and calls that wait for their next attempt must not block the others.
            max_deliver: -1,
            max_ack_pending: -1,
            inactive_threshold: INACTIVE,
            ..pull::Config::default()
        };
        let made = self.server.context.create_consumer_on_stream(config, names::stream(&lane.queue)).await;
        let made = made.map_err(|error| match error.kind() {
            stream::ConsumerErrorKind::JetStream(refusal) => {
                self.forget(&lane.queue);
                self.server.error("make a consumer", Failure::Refused(refusal))
            }
            _ => self.server.error("make a consumer", Failure::Silent(error.to_string())),
        })?;
        self.consumers.lock().unwrap_or_else(PoisonError::into_inner).insert(lane.clone(), made.clone());
        Ok(made)
    }

    /// Whether the server says that a lane's consumer, or its whole stream, is not there.
    pub(super) async fn lacks_consumer(&self, lane: &Lane) -> bool {
        let subject = format!("CONSUMER.INFO.{}.{}", names::stream(&lane.queue), names::token(&lane.function));
        let asked = self.server.api::<_, serde_json::Value>(subject, &json!({})).await;
        let missing = [ErrorCode::CONSUMER_NOT_FOUND, ErrorCode::STREAM_NOT_FOUND];
        asked.is_err_and(|failure| missing.iter().any(|code| failure.is(*code)))
    }

    /// The consumer turned out to be missing.
    pub(super) fn forget_consumer(&self, lane: &Lane) {
        self.consumers.lock().unwrap_or_else(PoisonError::into_inner).remove(lane);
    }

    /// The queues that have a stream.
    pub(super) async fn queues(&self) -> Result<Vec<Arc<str>>, QueueError> {
        let mut queues = Vec::new();
        let mut offset = 0;
        loop {
            let question = json!({ "subject": names::CALLS, "offset": offset });
            let page: Page<String> = self.ask("STREAM.NAMES".to_owned(), &question).await?;
            let names = page.items.unwrap_or_default();
            offset += names.len();
            queues.extend(names.iter().filter_map(|name| names::queue_of_stream(name)).map(Arc::from));
            if names.is_empty() || offset >= page.total {
                return Ok(queues);
            }
        }
    }

    /// The consumers of a queue.
    pub(super) async fn consumers(&self, queue: &str) -> Result<Vec<ConsumerState>, QueueError> {
        let mut consumers = Vec::new();
        loop {
            let question = json!({ "offset": consumers.len() });
            let subject = format!("CONSUMER.LIST.{}", names::stream(queue));
            let page: Page<ConsumerState> = self.ask(subject, &question).await?;
            let more = page.items.unwrap_or_default();
            let end = more.is_empty() || consumers.len() + more.len() >= page.total;
            consumers.extend(more);
            if end {
                return Ok(consumers);
            }
        }
    }

    /// What a stream holds; of the subjects those that match `filter`.
    pub(super) async fn contents(&self, stream: &str, filter: &str) -> Result<Contents, QueueError> {
        let mut contents = Contents { first: 0, messages: 0, subjects: HashMap::new(), all: 0 };
        let mut offset = 0;
        loop {
            let question = json!({ "subjects_filter": filter, "offset": offset });
            let page: StreamInfo = self.ask(format!("STREAM.INFO.{stream}"), &question).await?;
            let (first, messages, all) = (page.state.first_seq, page.state.messages, page.state.num_subjects);
            let subjects = page.state.subjects.unwrap_or_default();
            let before = contents.subjects.len();
            offset += subjects.len();
            contents = Contents { first, messages, subjects: contents.subjects, all };
            contents.subjects.extend(subjects);
            // A server that does not know pages sends the same one again.
            if contents.subjects.len() == before {
                return Ok(contents);
            }
        }
    }

    async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        subject: String,
        question: &serde_json::Value,
    ) -> Result<T, QueueError> {
        self.server.api(subject, question).await.map_err(|failure| self.server.error("say what it holds", failure))
    }
}

fn number(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
