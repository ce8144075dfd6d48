//! The platform's own functions, asked as they ask each other: through the gateway, and signed.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use reqwest::{Response, StatusCode};
use sdk::call::{CallError, CallId, Functions};
use sdk::gateway::{FunctionStatus, Gateway};
use sdk::id::{Owner, OwnerId};
use sdk::labels;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use tokio_util::codec::{FramedRead, LinesCodec};
use tokio_util::io::StreamReader;

use crate::data_dir::DataDir;
use crate::instance::Record;
use crate::report::Trouble;
use crate::secrets::PAYLOAD;

/// The longest answer that is taken.
const MAX_ANSWER: usize = 32 * 1024 * 1024;
/// The longest line of an answer that goes on.
const MAX_LINE: usize = 2 * 1024 * 1024;
/// How long an answer may go on: as long as a signature may hold.
const GOES_ON: Duration = Duration::from_secs(24 * 3600);

/// The functions of a running platform, and its gateway.
pub(crate) struct Inside {
    pub(crate) gateway: Gateway,
    functions: Functions,
}

impl Inside {
    pub(crate) fn of(data: &DataDir, record: &Record) -> anyhow::Result<Self> {
        let secret = record.secrets(data).get(PAYLOAD)?;
        let functions = Functions::new(record.gateway_url().parse()?, secret);
        Ok(Self { gateway: crate::commands::gateway(data, record)?, functions })
    }

    /// Asks a function, and reads its whole answer.
    ///
    /// # Errors
    /// When it does not answer with what is expected.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        function: &str,
        question: &(impl Serialize + Sync),
    ) -> anyhow::Result<T> {
        let answer = self.functions.invoke(function, question, &CallId::random()).await;
        let bytes = whole(answer.map_err(|error| explain(function, error))?).await?;
        serde_json::from_slice(&bytes).with_context(|| format!("the answer of {function} is not understood"))
    }

    /// Asks a function whose answer is lines of JSON, and may go on for a long time. `None` where there is no such function, or
    /// nothing of what it is asked about.
    ///
    /// # Errors
    /// When it refuses; the stream's items fail when the answer breaks off or is not understood.
    pub(crate) async fn lines<T: DeserializeOwned + Send + 'static>(
        &self,
        function: &str,
        question: &impl Serialize,
    ) -> anyhow::Result<Option<BoxStream<'static, io::Result<T>>>> {
        let body = serde_json::to_vec(question)?;
        let digest = Sha256::digest(&body).into();
        let answer = match self.functions.send(function, body, digest, GOES_ON, &CallId::random()).await {
            Err(CallError::Refused { status: StatusCode::NOT_FOUND, .. }) => return Ok(None),
            other => other.map_err(|error| explain(function, error))?,
        };
        let bytes = answer.bytes_stream().map_err(io::Error::other);
        let lines = FramedRead::new(StreamReader::new(bytes), LinesCodec::new_with_max_length(MAX_LINE));
        let parse = |line: String| async move { serde_json::from_str(&line).map_err(io::Error::other) };
        Ok(Some(lines.map_err(io::Error::other).and_then(parse).boxed()))
    }
}

async fn whole(mut answer: Response) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.context("an answer broke off")? {
        anyhow::ensure!(bytes.len() + chunk.len() <= MAX_ANSWER, "an answer has more than {MAX_ANSWER} bytes");
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn explain(function: &str, error: CallError) -> anyhow::Error {
    let name = function.split('/').next().unwrap_or(function);
    match error {
        CallError::Refused { status: StatusCode::NOT_FOUND, .. } => {
            Trouble::new(format!("this platform has no {name}, or one of another release"))
                .hint("see `ofc ls --all`; start it anew with this release of ofc")
                .into()
        }
        other => other.into(),
    }
}

/// Whose a function is, if the pipeline deployed it.
pub(crate) fn owner_of(function: &FunctionStatus) -> Option<(OwnerId, Owner)> {
    let label = |name: &str| function.labels.get(name).map(String::as_str);
    let id = label(labels::GIT_OWNER_ID)?.parse().ok().filter(|id| *id != 0)?;
    let host = label(labels::GIT_SCM)?.to_owned();
    let login = label(labels::GIT_OWNER)?.parse().ok()?;
    (label(labels::GIT_CLOUD) == Some("1")).then_some((OwnerId { host, id }, login))
}

/// All who have functions, each under one of its logins.
pub(crate) fn owners(functions: &[FunctionStatus]) -> BTreeMap<OwnerId, Owner> {
    functions.iter().filter_map(owner_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(id: &str, cloud: &str) -> FunctionStatus {
        let labels = [
            (labels::GIT_CLOUD, cloud),
            (labels::GIT_OWNER, "alice"),
            (labels::GIT_OWNER_ID, id),
            (labels::GIT_SCM, "git.localhost"),
        ];
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        FunctionStatus { name: "alice-hello".to_owned(), labels, ..FunctionStatus::default() }
    }

    #[test]
    fn an_owner_is_a_number_at_a_host() {
        let (owner, login) = owner_of(&function("7", "1")).unwrap();
        assert_eq!((owner.host.as_str(), owner.id, login.as_str()), ("git.localhost", 7, "alice"));
        for (id, cloud) in [("0", "1"), ("x", "1"), ("7", "0")] {
            assert!(owner_of(&function(id, cloud)).is_none(), "{id} {cloud}");
        }
        assert!(owner_of(&FunctionStatus::default()).is_none());
        assert_eq!(owners(&[function("7", "1"), function("7", "1"), function("8", "1")]).len(), 2);
    }

    #[tokio::test]
    async fn a_part_that_is_not_there_is_named() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, axum::Router::new()).await });
        let gateway = Gateway::new(url.parse().unwrap(), "admin", "x".into());
        let inside = Inside { gateway, functions: Functions::new(url.parse().unwrap(), "x".into()) };
        let error = inside.ask::<u8>("pipeline-log/history", &1).await.unwrap_err();
        assert!(error.to_string().contains("no pipeline-log"), "{error}");
        assert!(inside.lines::<u8>("function-logs", &1).await.unwrap().is_none());
    }
}
