//! What a person sees who opens the gateway's address in a browser. There is no page to manage functions with; this
//! one says what there is instead.

use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use http::HeaderValue;

const PAGE: &str = include_str!("front.html");

/// Go to the page.
#[utoipa::path(
    get,
    path = "/",
    operation_id = "GetRoot",
    tag = "internal",
    responses((status = 307, description = "The page is at `/ui/`."))
)]
pub(crate) async fn root() -> Redirect {
    Redirect::temporary("/ui/")
}

/// Show a page for people.
#[utoipa::path(
    get,
    path = "/ui/",
    operation_id = "GetPage",
    tag = "internal",
    responses((status = 200, description = "The page.", body = String, content_type = "text/html"))
)]
pub(crate) async fn page() -> Response {
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    let policy = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'");
    ([(CONTENT_TYPE, html), (CONTENT_SECURITY_POLICY, policy)], PAGE).into_response()
}
