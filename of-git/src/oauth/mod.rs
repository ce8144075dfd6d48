//! The platform signs people in here as it does at GitHub: OAuth 2 with an authorisation code and PKCE, for the
//! one client that the configuration names. Its users need not agree: client and host are one installation.

mod authorize;
mod client;
mod exchange;
mod grants;
mod member;
mod person;
mod tokens;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

pub use client::Client;

use crate::app::App;
use grants::Grants;
use tokens::Tokens;

/// The longest request for a token, in bytes.
const MAX_BODY: usize = 16 * 1024;

/// All that the routes know. What is kept, is kept for minutes, and only in memory.
#[derive(Debug)]
pub(crate) struct Oauth {
    client: Client,
    grants: Grants,
    tokens: Tokens,
}

impl Oauth {
    /// For this client.
    pub(crate) fn new(client: Client) -> Self {
        Self { client, grants: Grants::default(), tokens: Tokens::default() }
    }
}

/// The routes that browsers and the client use.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/login/oauth/authorize", get(authorize::authorize))
        .route("/login/oauth/access_token", post(exchange::exchange).layer(DefaultBodyLimit::max(MAX_BODY)))
}

/// The routes of the REST interface that a person's token opens.
pub(crate) fn api() -> Router<Arc<App>> {
    Router::new()
        .route("/user", get(person::show))
        .route("/user/memberships/orgs", get(person::memberships))
        .route("/user/orgs", get(person::organisations))
}
