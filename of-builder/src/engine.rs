//! The container engine, as far as a builder needs it.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use bollard::auth::DockerCredentials;
use bollard::errors::Error as DockerError;
use bollard::models::{BuildInfo, PushImageInfo};
use bollard::query_parameters::{
    BuildImageOptions, BuildImageOptionsBuilder, ListImagesOptionsBuilder, PushImageOptionsBuilder, RemoveImageOptions,
};
use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use bytes::Bytes;
use futures_util::Stream;
use http::{HeaderValue, Method, Uri};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::image_name::ImageName;
use crate::leftovers::Made;
use crate::order::Order;
use crate::secrets::BuildSecrets;
use crate::session::{Session, SessionError};

/// Asking the engine who it is takes milliseconds; one that takes longer than this is not there.
const GREETING_TIME: Duration = Duration::from_secs(5);
const REGISTRY_AUTH: &str = "X-Registry-Auth";
/// On every image built here, so that an operator can find them.
const LABEL: (&str, &str) = ("com.openfaas.cloud.builder", "of-builder");
/// On images that may stand in for a later build: the digest of the upload that they were made from. A Dockerfile
/// cannot set it, because labels given with a build win.
const UPLOAD_LABEL: &str = "com.openfaas.cloud.builder.upload";

#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineError {
    #[error("the container engine at {host} does not answer: is it running?")]
    Silent { host: String, source: DockerError },
    #[error("the container engine at {host} did not answer within {GREETING_TIME:?}")]
    Slow { host: String },
}

/// The address of an engine; nothing is connected yet.
#[derive(Clone)]
pub(crate) struct Engine {
    host: String,
    time: Duration,
}

/// An engine that has just answered.
pub(crate) struct LiveEngine {
    docker: Docker,
    host: String,
    /// What it builds for, such as `linux/amd64`.
    pub(crate) platform: String,
}

impl Engine {
    /// `time` bounds the wait for the first byte of any answer.
    pub(crate) fn new(host: &str, time: Duration) -> Self {
        Self { host: host.to_owned(), time }
    }

    /// Makes sure that somebody answers, in a version of the API that both know.
    pub(crate) async fn greet(&self) -> Result<LiveEngine, EngineError> {
        let greeting = async {
            let docker = self.connect()?.negotiate_version().await?;
            let version = docker.version().await?;
            let platform = format!("{}/{}", version.os.unwrap_or_default(), version.arch.unwrap_or_default());
            Ok(LiveEngine { docker, host: self.host.clone(), platform })
        };
        match tokio::time::timeout(GREETING_TIME, greeting).await {
            Ok(answer) => answer.map_err(|source| EngineError::Silent { host: self.host.clone(), source }),
            Err(_) => Err(EngineError::Slow { host: self.host.clone() }),
        }
    }

    fn connect(&self) -> Result<Docker, DockerError> {
        let seconds = self.time.as_secs().max(1);
        let docker = match self.host.strip_prefix("unix://") {
            Some(path) => Docker::connect_with_socket(path, seconds, API_DEFAULT_VERSION)?,
            None => Docker::connect_with_http(&self.host, seconds, API_DEFAULT_VERSION)?,
        };
        Ok(docker.with_request_modifier(|request| url_safe_credentials(with_buildkit(request))))
    }
}

impl LiveEngine {
    /// Opens the session of one build.
    pub(crate) async fn session(&self, secrets: Arc<BuildSecrets>) -> Result<Session, SessionError> {
        match tokio::time::timeout(GREETING_TIME, Session::open(&self.host, secrets)).await {
            Ok(session) => session,
            Err(late) => Err(SessionError::Connect(late.into())),
        }
    }

    /// Builds a context with the engine's BuildKit. Dropping the stream cancels the build.
    pub(crate) fn build(
        &self,
        order: &Order,
        upload: Option<&str>,
        session: &Session,
        context: mpsc::Receiver<io::Result<Bytes>>,
    ) -> impl Stream<Item = Result<BuildInfo, DockerError>> + '_ {
        // No registry credentials go along: a Dockerfile's FROM must not reach what only the platform may read.
        let body = bollard::body_try_stream(ReceiverStream::new(context));
        self.docker.build_image(options(order, upload, session), None, Some(body))
    }

    /// The id of the image of this name, if it was made from this upload. Whatever else the engine says is a
    /// reason to build.
    pub(crate) async fn made_before(&self, order: &Order, upload: Option<&str>) -> Option<String> {
        let upload = upload.filter(|_| !order.no_cache)?;
        let found = self.docker.inspect_image(&order.image.to_string()).await.ok()?;
        let label = found.config?.labels?.remove(UPLOAD_LABEL)?;
        found.id.filter(|_| label == upload)
    }

    /// Pushes a tag; the stream ends when the registry has it.
    pub(crate) fn push(
        &self,
        image: &ImageName,
        credentials: Option<DockerCredentials>,
    ) -> impl Stream<Item = Result<PushImageInfo, DockerError>> + '_ {
        let options = PushImageOptionsBuilder::default().tag(image.tag()).build();
        self.docker.push_image(image.repository(), Some(options), credentials)
    }

    /// All images that a builder made, once for each of their names.
    pub(crate) async fn made_here(&self) -> Result<Vec<Made>, DockerError> {
        let filters = HashMap::from([("label", vec![format!("{}={}", LABEL.0, LABEL.1)])]);
        let options = ListImagesOptionsBuilder::default().filters(&filters).build();
        let images = self.docker.list_images(Some(options)).await?;
        Ok(images
            .into_iter()
            .flat_map(|i| i.repo_tags.into_iter().map(move |name| Made { name, at: i.created }))
            .collect())
    }

    /// Removes the image unless a container uses it. True if it is gone.
    pub(crate) async fn remove_unused(&self, name: &str) -> Result<bool, DockerError> {
        match self.docker.remove_image(name, None::<RemoveImageOptions>, None).await {
            Ok(_) => Ok(true),
            Err(DockerError::DockerResponseServerError { status_code: 404 | 409, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Steps run on the default bridge. `networkmode` stays unset and no entitlement is asked for, so neither the host's
/// network nor privileged steps can be had by a Dockerfile.
fn options(order: &Order, upload: Option<&str>, session: &Session) -> BuildImageOptions {
    let mut labels = HashMap::from([LABEL]);
    labels.extend(upload.map(|upload| (UPLOAD_LABEL, upload)));
    let options = BuildImageOptionsBuilder::default()
        .dockerfile("Dockerfile")
        .t(&order.image.to_string())
        .nocache(order.no_cache)
        .rm(true)
        .forcerm(true)
        .buildargs(&order.build_args)
        .labels(&labels)
        .session(session.id());
    if session.has_secrets() { options.extrahosts(&order.steps_host).build() } else { options.build() }
}

/// Has builds made by BuildKit. If that is said in the options, the client library opens a session of its own under the
/// same id, which knows no secrets; so it is said here, when the request is made already.
fn with_buildkit(mut request: BollardRequest) -> BollardRequest {
    let query = request.uri().query().filter(|_| request.method() == Method::POST && request.uri().path() == "/build");
    let Some(query) = query else { return request };
    let pairs: Vec<&str> = query.split('&').map(|pair| if pair == "version=1" { "version=2" } else { pair }).collect();
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = format!("/build?{}", pairs.join("&")).parse().ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    request
}

/// The client library encodes credentials with the standard base64 alphabet, the engine reads the URL-safe one and
/// silently takes what it cannot read for no credentials; passwords with `~`, `?` or `>` fall into that gap.
fn url_safe_credentials(mut request: BollardRequest) -> BollardRequest {
    let standard = request.headers().get(REGISTRY_AUTH).and_then(|value| STANDARD.decode(value).ok());
    if let Some(json) = standard
        && let Ok(value) = HeaderValue::from_str(&URL_SAFE.encode(json))
    {
        request.headers_mut().insert(REGISTRY_AUTH, value);
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_sent_in_the_alphabet_that_the_engine_reads() {
        let json = br#"{"password":"~~~???>>>"}"#;
        let standard = STANDARD.encode(json);
        assert!(standard.contains(['+', '/']), "the case is about {standard}");
        let request = http::Request::builder().header(REGISTRY_AUTH, standard);
        let request = url_safe_credentials(request.body(bollard::body_full(Bytes::new())).unwrap());
        let sent = request.headers()[REGISTRY_AUTH].to_str().unwrap();
        assert_eq!(URL_SAFE.decode(sent).unwrap(), json);
    }

    #[tokio::test]
    async fn a_silent_engine_is_named() {
        let engine = Engine::new("unix:///nonexistent/docker.sock", Duration::from_secs(1));
        let error = engine.greet().await.err().unwrap();
        insta::assert_snapshot!(error, @"the container engine at unix:///nonexistent/docker.sock does not answer: is it running?");
    }
}
