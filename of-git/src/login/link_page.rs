//! What a link shows and does. Looking at it uses nothing up: chat programs look at every link that they see.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};

use super::error::PageError;
use super::html::page;
use super::link::Link;
use super::pages::begin;
use super::templates::LinkPage;
use crate::app::App;
use crate::atomic_file::blocking;
use crate::clock;

/// `GET /login/link/{link}`.
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(text): Path<String>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let link = valid(&app, &text)?;
    let (spent, asked) = (app.login.spent.clone(), link.clone());
    if blocking(move || spent.is_marked(&asked.id, asked.expires)).await? {
        return Err(PageError::UsedLink);
    }
    let other = app.signed_in(&headers).await?.map(|session| session.owner).filter(|owner| *owner != link.owner);
    Ok(page(StatusCode::OK, &LinkPage { owner: &link.owner, other: other.as_ref() }))
}

/// `POST /login/link/{link}`: uses it up.
pub(crate) async fn sign_in(
    State(app): State<Arc<App>>,
    Path(text): Path<String>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    app.login.expect_own_form(&headers)?;
    let link = valid(&app, &text)?;
    let (spent, asked, now) = (app.login.spent.clone(), link.clone(), clock::now());
    if !blocking(move || spent.mark(&asked.id, asked.expires, now)).await? {
        tracing::warn!(owner = %link.owner, "a link was used again");
        return Err(PageError::UsedLink);
    }
    begin(&app, &headers, &link.owner, "link").await
}

fn valid(app: &App, text: &str) -> Result<Link, PageError> {
    let link = Link::read(&app.login.links, text).ok_or(PageError::BadLink)?;
    if link.expires <= clock::now() { Err(PageError::ExpiredLink) } else { Ok(link) }
}
