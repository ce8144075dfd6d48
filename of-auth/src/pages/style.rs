//! The one stylesheet, served from memory under a name that changes with it.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use crate::random;

const STYLE: &str = include_str!("../../templates/style.css");

static NAME: LazyLock<String> = LazyLock::new(|| format!("style-{}.css", &hex::encode(random::hash(STYLE))[..16]));

/// The stylesheet's name below `/.ofc/`, for templates.
pub(crate) fn name() -> &'static str {
    &NAME
}

/// `GET /.ofc/style-<hash>.css`.
pub(crate) async fn get(Path(file): Path<String>) -> Response {
    if file != *NAME {
        return StatusCode::NOT_FOUND.into_response();
    }
    let headers = [(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "public, max-age=31536000, immutable")];
    (headers, STYLE).into_response()
}
