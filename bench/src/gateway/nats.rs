//! A NATS server with JetStream, and what its own client makes of it.

use std::ops::Range;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use async_nats::jetstream;
use async_nats::jetstream::consumer::{PullConsumer, pull};
use async_nats::jetstream::stream::{Config, RetentionPolicy, StorageType, Stream};
use futures_util::{StreamExt, TryStreamExt, stream};
use tempfile::TempDir;

use super::load::{CONNECTIONS, message};
use super::messages::Seconds;
use crate::child::free_port;

const START_LIMIT: Duration = Duration::from_secs(10);
const STREAM: &str = "PEER";
const SUBJECT: &str = "peer";

/// A running server; ended when dropped.
pub(super) struct Nats {
    child: Child,
    port: u16,
    _data: TempDir,
}

impl Nats {
    /// Starts it and waits until JetStream answers.
    pub(super) async fn start() -> Result<Self> {
        let (data, port) = (tempfile::tempdir()?, free_port()?);
        let mut command = Command::new("nats-server");
        command.args(["--jetstream", "--addr", "127.0.0.1", "--port", &port.to_string(), "--store_dir"]);
        let child = command.arg(data.path()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.context("cannot start nats-server; scripts/setup bench installs it")?;
        let nats = Self { child, port, _data: data };
        let began = Instant::now();
        while let Err(error) = nats.stream().await {
            ensure!(began.elapsed() < START_LIMIT, "nats-server did not start: {error:#}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(nats)
    }

    /// What tells a gateway to keep its queue here.
    pub(super) fn variables(&self) -> [(&'static str, String); 2] {
        [("faas_nats_address", "127.0.0.1".to_owned()), ("faas_nats_port", self.port.to_string())]
    }

    /// The peer's stream; made at the first time. It is what can be asked for of servers of any age.
    async fn stream(&self) -> Result<(jetstream::Context, Stream)> {
        let context = jetstream::new(async_nats::connect(format!("127.0.0.1:{}", self.port)).await?);
        let config = Config {
            name: STREAM.to_owned(),
            subjects: vec![SUBJECT.to_owned()],
            retention: RetentionPolicy::WorkQueue,
            storage: StorageType::File,
            ..Config::default()
        };
        let stream = context.get_or_create_stream(config).await?;
        Ok((context, stream))
    }

    /// Publishes these messages, each acknowledged by the server, while a consumer takes and acknowledges them.
    pub(super) async fn measure(&self, numbers: Range<u64>) -> Result<Seconds> {
        let (context, stream) = self.stream().await?;
        let consumer = pull::Config { durable_name: Some("peer".to_owned()), ..pull::Config::default() };
        let consumer = stream.get_or_create_consumer("peer", consumer).await?;
        let expected = usize::try_from(numbers.end - numbers.start)?;
        let began = Instant::now();
        let publishes = async {
            publish(&context, numbers).await?;
            anyhow::Ok(began.elapsed().as_secs_f64())
        };
        let (taken, ()) = tokio::try_join!(publishes, consume(&consumer, expected))?;
        Ok(Seconds { taken, done: began.elapsed().as_secs_f64() })
    }
}

async fn publish(context: &jetstream::Context, numbers: Range<u64>) -> Result<()> {
    let each = stream::iter(numbers).map(|number| async move {
        context.publish(SUBJECT, message(number)).await?.await?;
        anyhow::Ok(())
    });
    each.buffer_unordered(CONNECTIONS).try_collect::<Vec<()>>().await?;
    Ok(())
}

/// As the gateway does, it goes by the server's word that a message is done with.
async fn consume(consumer: &PullConsumer, expected: usize) -> Result<()> {
    let messages = consumer.messages().await?.take(expected);
    let each = messages.map(|message| async move {
        message?.double_ack().await.map_err(anyhow::Error::from_boxed)?;
        anyhow::Ok(())
    });
    each.buffer_unordered(CONNECTIONS).try_collect::<Vec<()>>().await?;
    Ok(())
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
