//! Files and folders.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode, header};
use sdk::id::CommitSha;
use serde_json::{Value, json};

use super::access::{CONTENTS, Place, open};
use super::error::ApiError;
use super::git_objects::commit_named;
use super::page::query;
use crate::app::App;
use crate::files::{self, Entry, Found, Kind};
use crate::payload::Subject;

/// Larger files come without their content, in bytes; GitHub's limit.
const MAX_SHOWN: u64 = 1024 * 1024;
/// Larger files do not come as they are either, in bytes.
const MAX_RAW: u64 = 32 * 1024 * 1024;
/// The most entries of a folder; GitHub's limit.
const MAX_ENTRIES: usize = 1000;
/// GitHub breaks base64 into lines of this length.
const LINE: usize = 60;

/// `GET /repos/{owner}/{repo}/contents`.
pub(super) async fn root(
    state: State<Arc<App>>,
    Path((owner, repo)): Path<(String, String)>,
    query: RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    show(state, Path((owner, repo, String::new())), query, headers).await
}

/// `GET /repos/{owner}/{repo}/contents/{path}`.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path((owner, repo, path)): Path<(String, String, String)>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let place = open(&app, &headers, (&owner, &repo), CONTENTS).await?;
    let subject = app.subject(place.known.clone()).await?;
    let asked = query(raw.as_deref())?;
    let reference = asked.get("ref").unwrap_or(&subject.default_branch).to_owned();
    let missing = || ApiError(StatusCode::NOT_FOUND, format!("No commit found for the ref {reference}"));
    let sha = commit_named(&app, &place, &reference).await?.ok_or_else(missing)?;
    let address = Address { subject: &subject, reference: &reference, sha: &sha };
    match files::find(&app.git, &place.folder, &sha, &path).await? {
        None => Err(ApiError::not_found()),
        Some(Found::Folder(entries)) => {
            let shown = entries.iter().take(MAX_ENTRIES).map(|entry| address.entry(&join(&path, &entry.name), entry));
            Ok(Json(shown.collect::<Vec<_>>()).into_response())
        }
        Some(Found::One(entry)) => one(&app, &place, &headers, &address, path.trim_matches('/'), &entry).await,
    }
}

async fn one(
    app: &App,
    place: &Place,
    headers: &HeaderMap,
    address: &Address<'_>,
    path: &str,
    entry: &Entry,
) -> Result<Response, ApiError> {
    let mut shown = address.entry(path, entry);
    let raw = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains(".raw"));
    match entry.kind {
        Kind::File if raw && entry.size > MAX_RAW => {
            Err(ApiError(StatusCode::FORBIDDEN, format!("This file is larger than {} MiB.", MAX_RAW >> 20)))
        }
        Kind::File if raw => {
            let content = files::content(&app.git, &place.folder, &entry.id).await?;
            let kind = [
                (header::CONTENT_TYPE, "application/vnd.github.raw+json; charset=utf-8"),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            ];
            Ok((kind, content).into_response())
        }
        Kind::File if entry.size > MAX_SHOWN => {
            shown["encoding"] = "none".into();
            shown["content"] = "".into();
            Ok(Json(shown).into_response())
        }
        Kind::File => {
            let content = files::content(&app.git, &place.folder, &entry.id).await?;
            shown["encoding"] = "base64".into();
            shown["content"] = in_lines(&STANDARD.encode(content)).into();
            Ok(Json(shown).into_response())
        }
        Kind::Link => {
            let target = files::content(&app.git, &place.folder, &entry.id).await?;
            shown["target"] = String::from_utf8_lossy(&target).into();
            Ok(Json(shown).into_response())
        }
        Kind::Submodule | Kind::Folder => Ok(Json(shown).into_response()),
    }
}

fn join(folder: &str, name: &str) -> String {
    let folder = folder.trim_matches('/');
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

fn in_lines(text: &str) -> String {
    let lines = text.as_bytes().chunks(LINE).map(|line| format!("{}\n", String::from_utf8_lossy(line)));
    lines.collect()
}

/// Where an entry is.
struct Address<'a> {
    subject: &'a Subject,
    reference: &'a str,
    sha: &'a CommitSha,
}

impl Address<'_> {
    fn entry(&self, path: &str, entry: &Entry) -> Value {
        let (kind, object) = match entry.kind {
            Kind::File => ("file", "blobs"),
            Kind::Folder => ("dir", "trees"),
            Kind::Link => ("symlink", "blobs"),
            Kind::Submodule => ("submodule", "trees"),
        };
        let (api, page) = (self.subject.api(), self.subject.page());
        let url = format!("{api}/contents/{path}?ref={}", self.reference);
        let git_url = format!("{api}/git/{object}/{}", entry.id);
        let html_url = format!("{page}/blob/{}/{path}", self.sha);
        json!({
            "type": kind,
            "name": entry.name,
            "path": path,
            "sha": entry.id,
            "size": entry.size,
            "url": url,
            "git_url": git_url,
            "html_url": html_url,
            "download_url": null,
            "_links": { "self": url, "git": git_url, "html": html_url },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_join_and_base64_comes_in_lines() {
        assert_eq!((join("", "a"), join("/x/y/", "a")), ("a".to_owned(), "x/y/a".to_owned()));
        assert_eq!(in_lines(&"a".repeat(61)), format!("{}\na\n", "a".repeat(60)));
        assert_eq!(in_lines(""), "");
    }
}
