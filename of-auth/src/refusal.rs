//! The one place that turns what went wrong with a page into a status and a sentence.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{HeaderValue, RETRY_AFTER};
use sdk::failure::chain;

use crate::issue::No;
use crate::keys::KeysError;
use crate::pages::{self, LOGIN, Message};
use crate::provider::ProviderError;
use crate::random::NoRandom;
use crate::store::StoreError;
use crate::tenants::NotAdmitted;

/// Why somebody does not get what was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("There is no such page at this host.")]
    NotFound,
    #[error("Sessions are not for this host.")]
    NoSite,
    #[error("The address to return to is not one of this installation's.")]
    ForeignReturn,
    #[error("There were too many attempts from your network. Try again in a minute.")]
    TooOften,
    #[error("This sign-in is over: it was used already, or took more than ten minutes. Begin anew.")]
    LoginOver,
    #[error("This sign-in did not begin in this browser. Begin anew.")]
    OtherBrowser,
    #[error("You were not signed in: {0} did not agree.")]
    Declined(String),
    #[error("{}", .0.public())]
    Provider(#[from] ProviderError),
    /// Somebody, as the trail names it, whom the installation does not admit.
    #[error("{}", cause.public())]
    NotAdmitted { person: String, cause: NotAdmitted },
    #[error(
        "The session could not be brought to this host: this took more than a minute, or was done already. Begin anew."
    )]
    TicketOver,
    #[error("This was not asked for on this page itself. Open the page and press the button there.")]
    CrossSite,
    #[error("You are not signed in any more.")]
    SignedOut(#[source] No),
    #[error("The sign-in service does not work at the moment. Try again in a while.")]
    Store(#[from] StoreError),
    #[error("The sign-in service does not work at the moment. Try again in a while.")]
    Keys(#[from] KeysError),
    #[error("The sign-in service does not work at the moment. Try again in a while.")]
    Random(#[from] NoRandom),
}

impl From<No> for Refusal {
    fn from(no: No) -> Self {
        match no {
            No::Store(error) => Self::Store(error),
            No::Key(error) => Self::Keys(error.into()),
            other => Self::SignedOut(other),
        }
    }
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound | Self::NoSite => StatusCode::NOT_FOUND,
            Self::ForeignReturn | Self::LoginOver | Self::TicketOver => StatusCode::BAD_REQUEST,
            Self::TooOften => StatusCode::TOO_MANY_REQUESTS,
            Self::OtherBrowser | Self::CrossSite => StatusCode::FORBIDDEN,
            Self::Declined(_) | Self::SignedOut(_) => StatusCode::UNAUTHORIZED,
            Self::Provider(error) => error.status(),
            Self::NotAdmitted { cause: NotAdmitted::Unwritable(_), .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotAdmitted { .. } => StatusCode::FORBIDDEN,
            Self::Store(_) | Self::Keys(_) | Self::Random(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Whether to begin anew may help.
    fn again(&self) -> bool {
        !matches!(self, Self::NotFound | Self::NoSite | Self::CrossSite)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.page(LOGIN.0)
    }
}

impl Refusal {
    /// The page at a host other than of-auth's own.
    pub(crate) fn at_host(self) -> Response {
        self.page(LOGIN.1)
    }

    fn page(self, login: &str) -> Response {
        let status = self.status();
        let cause = match &self {
            Self::Provider(error) => chain(error),
            other => std::error::Error::source(other).map(chain).unwrap_or_default(),
        };
        if status.is_server_error() {
            tracing::error!(status = status.as_u16(), cause, "A page could not be given: {self}");
        } else {
            tracing::info!(status = status.as_u16(), cause, "A page was refused: {self}");
        }
        let message =
            Message { title: "Not signed in", sentence: &self.to_string(), again: self.again().then_some(login) };
        let mut response = pages::page(status, &message);
        if status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("60"));
        }
        response
    }
}
