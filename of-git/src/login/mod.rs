//! The git host's own pages: sign in with a link or with the token of `git push`, and sign out.
//!
//! Forms are taken from our own pages alone (`Origin`), so that no other site signs somebody in or out.

mod attempts;
mod error;
pub(crate) mod html;
mod link;
mod link_page;
mod pages;
mod sessions;
mod spent;
pub(crate) mod templates;

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, header};
use secrecy::SecretString;
use session::cookie;
use url::Url;

use crate::app::App;
use crate::clock;
use crate::seal::Seal;
use attempts::Attempts;
use error::PageError;
use sessions::{Session, Sessions};
use spent::Spent;

pub use link::{LINK_SECONDS, login_link};

/// The cookie that keeps what is to be authorised while somebody signs in.
const PENDING: &str = "git-pending";
/// How long it is kept, in seconds.
const PENDING_SECONDS: u64 = 15 * 60;
/// A longer one does not fit into a cookie, in bytes.
const MAX_PENDING: usize = 2800;

/// All that the pages know.
#[derive(Debug)]
pub(crate) struct Login {
    sessions: Sessions,
    links: Seal,
    spent: Spent,
    attempts: Attempts,
    origin: String,
    home: Option<Url>,
}

impl Login {
    /// Opens the marks in `folder`.
    pub(crate) fn open(
        folder: PathBuf,
        master: &SecretString,
        public: &Url,
        home: Option<Url>,
    ) -> std::io::Result<Self> {
        let spent = Spent::open(folder)?;
        Ok(Self {
            sessions: Sessions::new(master, public.scheme() == "https", spent.clone()),
            links: link::seal(master),
            spent,
            attempts: Attempts::default(),
            origin: public.origin().ascii_serialization(),
            home,
        })
    }

    /// A form has to come from one of our own pages.
    fn expect_own_form(&self, headers: &HeaderMap) -> Result<(), PageError> {
        let mut given = headers.get_all(header::ORIGIN).iter();
        let own = given.next().is_some_and(|origin| origin.as_bytes() == self.origin.as_bytes());
        (own && given.next().is_none()).then_some(()).ok_or(PageError::Foreign)
    }

    /// The `Set-Cookie` value that keeps the query of an authorisation until somebody has signed in.
    pub(crate) fn keep_pending(&self, query: &str) -> Option<HeaderValue> {
        let fits = query.len() <= MAX_PENDING;
        let value = fits.then(|| URL_SAFE_NO_PAD.encode(query))?;
        HeaderValue::try_from(cookie::set(PENDING, &value, PENDING_SECONDS, self.sessions.secure)).ok()
    }

    fn pending(&self, headers: &HeaderMap) -> Option<String> {
        let value = cookie::get(headers, PENDING, self.sessions.secure)?;
        String::from_utf8(URL_SAFE_NO_PAD.decode(value).ok()?).ok()
    }

    fn drop_pending(&self) -> String {
        cookie::set(PENDING, "", 0, self.sessions.secure)
    }
}

impl App {
    /// Who is signed in, if the login still belongs to the owner who signed in.
    pub(crate) async fn signed_in(&self, headers: &HeaderMap) -> std::io::Result<Option<Session>> {
        let session = self.login.sessions.of(headers, clock::now()).await?;
        Ok(session.filter(|session| self.owners.number(&session.owner) == Some(session.number)))
    }
}

/// The pages' addresses.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/login", get(pages::show).post(pages::sign_in))
        .route("/login/continue", get(pages::go_on))
        .route("/login/link/{link}", get(link_page::show).post(link_page::sign_in))
        .route("/logout", get(pages::ask_to_sign_out).post(pages::sign_out))
}
