//! A git host whose branches move at once. It speaks what git-tar asks of git's protocol (version 2): one branch's head,
//! one commit. All repositories have the same commits.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path as UrlPath, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::Size;

/// The longest piece of a packet line.
const MAX_PIECE: usize = 65_515;

pub(super) struct Git {
    /// Where it is.
    pub(super) url: String,
    shared: Arc<Shared>,
    _server: AbortOnDropHandle<()>,
}

struct Shared {
    /// Ids, oldest first.
    commits: Vec<String>,
    /// What a fetch of each brings.
    packs: Vec<Vec<u8>>,
    /// Which commit each repository's branch is at.
    heads: Vec<AtomicUsize>,
}

impl Git {
    pub(super) async fn start(size: Size) -> Result<Self> {
        let (commits, packs) = tokio::task::spawn_blocking(move || make(size.pushes)).await??;
        let heads = (0..size.repositories).map(|_| AtomicUsize::new(0)).collect();
        let shared = Arc::new(Shared { commits, packs, heads });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let routes =
            Router::new().route("/{owner}/app.git/git-upload-pack", post(upload_pack)).with_state(Arc::clone(&shared));
        let server = AbortOnDropHandle::new(tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, routes).await {
                eprintln!("the git host ended: {error}");
            }
        }));
        Ok(Self { url, shared, _server: server })
    }

    pub(super) fn commits(&self) -> &[String] {
        &self.shared.commits
    }

    pub(super) fn newest(&self) -> String {
        self.shared.commits.last().cloned().unwrap_or_default()
    }

    /// Moves a repository's branch to a commit.
    pub(super) fn move_to(&self, repository: usize, commit: usize) {
        self.shared.heads[repository].store(commit, Ordering::SeqCst);
    }
}

async fn upload_pack(State(git): State<Arc<Shared>>, UrlPath(owner): UrlPath<String>, body: Bytes) -> Response {
    let repository = owner.strip_prefix("owner-").and_then(|number| number.parse::<usize>().ok());
    let Some(head) = repository.and_then(|number| git.heads.get(number)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let asked = String::from_utf8_lossy(&body);
    if asked.contains("command=ls-refs") {
        let head = &git.commits[head.load(Ordering::SeqCst)];
        return [line(format!("{head} refs/heads/main\n").as_bytes()), b"0000".to_vec()].concat().into_response();
    }
    let wanted = asked.split("want ").nth(1).and_then(|rest| rest.get(..40));
    let Some(index) = git.commits.iter().position(|commit| Some(commit.as_str()) == wanted) else {
        return line(b"ERR upload-pack: not our ref\n").into_response();
    };
    let mut answer = line(b"packfile\n");
    for piece in git.packs[index].chunks(MAX_PIECE) {
        answer.extend(line(&[&[1], piece].concat()));
    }
    answer.extend(b"0000");
    answer.into_response()
}

fn line(text: &[u8]) -> Vec<u8> {
    [format!("{:04x}", text.len() + 4).as_bytes(), text].concat()
}

/// Commits of one function, none of which has another before it, and the pack of each.
fn make(count: usize) -> Result<(Vec<String>, Vec<Vec<u8>>)> {
    let folder = tempfile::tempdir()?;
    let path = folder.path();
    git(path, &["init", "--quiet", "--bare"], b"")?;
    let mut stream = String::new();
    let stack = "version: 1.0\nprovider:\n  name: openfaas\nfunctions:\n  fn:\n    lang: python3\n    handler: ./fn\n    image: fn:latest\n";
    for number in 0..count {
        let handler = format!("def handle(event, context):\n    return {number}\n");
        stream +=
            &format!("commit refs/heads/c{number}\ncommitter Bench <bench@example.com> {number} +0000\ndata 1\nx\n");
        for (name, text) in [("stack.yml", stack), ("fn/handler.py", &handler)] {
            stream += &format!("M 100644 inline {name}\ndata {}\n{text}\n", text.len());
        }
    }
    git(path, &["fast-import", "--quiet"], stream.as_bytes())?;
    let (mut commits, mut packs) = (Vec::new(), Vec::new());
    for number in 0..count {
        let id = git(path, &["rev-parse", &format!("refs/heads/c{number}")], b"")?;
        let id = String::from_utf8(id)?.trim().to_owned();
        packs.push(git(path, &["pack-objects", "--quiet", "--revs", "--stdout"], id.as_bytes())?);
        commits.push(id);
    }
    Ok((commits, packs))
}

fn git(folder: &Path, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>> {
    let mut command = Command::new("git");
    command.current_dir(folder).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().context("cannot start git")?;
    child.stdin.take().context("no standard input")?.write_all(input)?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "{command:?} failed");
    Ok(output.stdout)
}
