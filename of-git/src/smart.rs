//! Git's smart HTTP protocol: three addresses under `/<owner>/<repository>.git/`, and no others.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sdk::failure::Failure;
use sdk::id::RepoPath;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::app::App;
use crate::auth::{self, Unauthorized};
use crate::body::PushBody;
use crate::commands;
use crate::fetch;
use crate::git::{GitError, Service};
use crate::owners;
use crate::pktline;
use crate::push::{self, Push};
use crate::reply::Reply;

/// How much of an answer waits for a slow client.
const QUEUE: usize = 16;

/// Why a request is not served.
pub(crate) enum Refusal {
    /// No or wrong credentials.
    Unauthorized,
    /// Anything else.
    Failure(Failure),
}

impl From<Unauthorized> for Refusal {
    fn from(_: Unauthorized) -> Self {
        Self::Unauthorized
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<GitError> for Refusal {
    fn from(error: GitError) -> Self {
        let failure = match error {
            GitError::Busy => {
                Failure::new(StatusCode::SERVICE_UNAVAILABLE, "The git host is busy. Try again in a minute.")
            }
            _ => Failure::internal(
                "The git host could not read this repository. Its operator finds the reason in the log.",
            ),
        };
        Self::Failure(failure.because(error))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Unauthorized => Unauthorized.into_response(),
            Self::Failure(failure) => failure.into_response(),
        }
    }
}

/// `GET …/info/refs?service=…`: what there is to fetch, or what a push starts from.
pub(crate) async fn info_refs(
    State(app): State<Arc<App>>,
    Path((owner, repo)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let caller = app.keys.basic(&headers)?;
    let path = repo_path(&owner, &repo)?;
    let service = query.as_deref().and_then(|q| q.strip_prefix("service=")).and_then(Service::from_name);
    let Some(service) = service else {
        let sentence = "Only git's smart HTTP protocol is served here; use git 1.6.6 or newer.";
        return Err(Failure::new(StatusCode::FORBIDDEN, sentence).into());
    };
    let folder = match service {
        Service::UploadPack => {
            caller.may_read(&path, &app.owners)?;
            app.repositories.find(&path).await.ok_or_else(|| auth::missing(&path))?
        }
        Service::ReceivePack => {
            caller.may_push(&path)?;
            // A repository comes into being with its first push, not with the question before it.
            app.repositories.find(&path).await.unwrap_or_else(|| app.repositories.empty().to_owned())
        }
    };
    let _turn = app.git.turn(caller.owner()).await?;
    let protocol = protocol(&headers);
    let mut command = app.git.service(service, &folder, protocol.as_deref());
    let refs = app.git.collect(command.args(["--advertise-refs", "."]), service.name()).await?;
    let mut answer = BytesMut::new();
    // Version 2 has no first line; its capability list begins at once.
    if protocol.as_deref() != Some("version=2") || service == Service::ReceivePack {
        pktline::put(&mut answer, format!("# service={}\n", service.name()).as_bytes());
        answer.extend_from_slice(pktline::FLUSH);
    }
    answer.extend_from_slice(&refs);
    Ok(respond(service, "advertisement", Body::from(answer.freeze())))
}

/// `POST …/git-upload-pack`: fetch and clone.
pub(crate) async fn upload_pack(
    State(app): State<Arc<App>>,
    Path((owner, repo)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let caller = app.keys.basic(&headers)?;
    let path = repo_path(&owner, &repo)?;
    caller.may_read(&path, &app.owners)?;
    let folder = app.repositories.find(&path).await.ok_or_else(|| auth::missing(&path))?;
    expect_type(&headers, Service::UploadPack)?;
    let request = fetch::read_request(PushBody::new(&headers, body).map_err(bad_body)?).await?;
    let turn = app.git.turn(caller.owner()).await?;
    let mut command = app.git.service(Service::UploadPack, &folder, protocol(&headers).as_deref());
    let mut child = app.git.start(command.arg("."))?;
    let stdin = child.stdin.take();
    let (to, from) = mpsc::channel(QUEUE);
    let limit = app.config.push_timeout;
    app.tasks.spawn(async move {
        let write = async {
            if let Some(mut stdin) = stdin {
                // A client that ends the fetch early is no failure of ours.
                let _ = stdin.write_all(&request).await;
            }
        };
        let serve = async { tokio::join!(write, fetch::stream(child, to, &path)) };
        let _ = tokio::time::timeout(limit, serve).await;
        drop(turn);
    });
    Ok(respond(Service::UploadPack, "result", Body::from_stream(ReceiverStream::new(from))))
}

/// `POST …/git-receive-pack`: push.
pub(crate) async fn receive_pack(
    State(app): State<Arc<App>>,
    Path((owner, repo)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let caller = app.keys.basic(&headers)?;
    let path = repo_path(&owner, &repo)?;
    caller.may_push(&path)?;
    expect_type(&headers, Service::ReceivePack)?;
    let mut body = PushBody::new(&headers, body).map_err(bad_body)?;
    let commands = tokio::time::timeout(app.config.push_timeout, commands::read(&mut body)).await;
    let commands = match commands {
        Ok(read) => read.map_err(|error| Failure::bad_request(format!("This is no push: {error}.")))?,
        Err(_) => return Err(Failure::new(StatusCode::REQUEST_TIMEOUT, "The push did not begin in time.").into()),
    };
    if commands.references.is_empty() {
        return Ok(respond(Service::ReceivePack, "result", Body::empty()));
    }
    let (to, from) = mpsc::channel::<Bytes>(QUEUE);
    let reply = Reply::new(to, &commands);
    let push = Push { path, commands, body, protocol: protocol(&headers) };
    app.tasks.spawn(push::run(app.clone(), push, reply));
    let stream = futures_util::StreamExt::map(ReceiverStream::new(from), Ok::<_, std::io::Error>);
    Ok(respond(Service::ReceivePack, "result", Body::from_stream(stream)))
}

/// The repository that an address names. What cannot be a name does not exist.
fn repo_path(owner: &str, repo: &str) -> Result<RepoPath, Failure> {
    let unknown = || Failure::not_found("Repositories are at /<owner>/<repository>.git here.");
    let repo = repo.strip_suffix(".git").ok_or_else(unknown)?;
    let path = RepoPath {
        owner: owner.parse().map_err(|error| Failure::not_found(format!("{error}.")))?,
        repo: repo.parse().map_err(|error| Failure::not_found(format!("{error}.")))?,
    };
    if owners::is_reserved(&path.owner) {
        let sentence = format!("'{}' names a part of the platform and cannot be an owner.", path.owner);
        return Err(Failure::not_found(sentence));
    }
    Ok(path)
}

/// Browsers cannot send this type across sites without asking first.
fn expect_type(headers: &HeaderMap, service: Service) -> Result<(), Failure> {
    let wanted = format!("application/x-{}-request", service.name());
    let given = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    if given == Some(wanted.as_bytes()) {
        return Ok(());
    }
    Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("The content type has to be {wanted}.")))
}

/// The protocol version that the client asks for, if it is one that may be passed on.
fn protocol(headers: &HeaderMap) -> Option<String> {
    let asked = headers.get("git-protocol")?.to_str().ok()?;
    matches!(asked, "version=1" | "version=2").then(|| asked.to_owned())
}

fn bad_body(error: crate::body::BodyError) -> Failure {
    Failure::bad_request(format!("{error}."))
}

fn respond(service: Service, kind: &str, body: Body) -> Response {
    let content_type = format!("application/x-{}-{kind}", service.name());
    let headers = [
        (header::CONTENT_TYPE, content_type.as_str()),
        (header::CACHE_CONTROL, "no-cache, max-age=0, must-revalidate"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_name_no_repository_do_not_exist() {
        let wrong = [
            ("alice", "hello"),
            ("alice", ".git"),
            ("alice", "..git"),
            ("alice", "...git"),
            ("..", "hello.git"),
            ("alice", "a/b.git"),
            ("alice", "a\0.git"),
            ("al ice", "a.git"),
            ("system", "a.git"),
            ("GIT", "a.git"),
            ("alice", "hello.git.git"),
        ];
        for (owner, repo) in wrong {
            assert_eq!(repo_path(owner, repo).unwrap_err().status(), StatusCode::NOT_FOUND, "{owner}/{repo}");
        }
        assert_eq!(repo_path("Alice", "Hello.git").unwrap().to_string(), "alice/Hello");
    }

    #[test]
    fn only_known_protocol_versions_are_passed_on() {
        let headers = |v: &'static str| HeaderMap::from_iter([("git-protocol".parse().unwrap(), v.parse().unwrap())]);
        assert_eq!(protocol(&headers("version=2")).as_deref(), Some("version=2"));
        assert_eq!(protocol(&headers("version=2:evil=`x`")), None);
        assert_eq!(protocol(&HeaderMap::new()), None);
    }
}
