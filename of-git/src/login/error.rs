//! Why somebody is not signed in, as a page.

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use sdk::failure::chain;

use super::html::page;
use super::templates::Refused;

/// What a browser is told instead of being signed in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PageError {
    /// The form is another site's.
    #[error("The form was sent from another site.")]
    Foreign,
    /// No form of ours.
    #[error("The form cannot be read.")]
    Form,
    /// A link that was changed, or made with another key.
    #[error("This link is not valid here.")]
    BadLink,
    /// A link after its time.
    #[error("This link has expired.")]
    ExpiredLink,
    /// A link that somebody used.
    #[error("This link has been used.")]
    UsedLink,
    /// Too many attempts for one login.
    #[error("There were too many attempts to sign in.")]
    TooMany {
        /// Seconds.
        wait: u64,
    },
    /// Something of ours failed.
    #[error("Signing in does not work at the moment.")]
    Broken(#[from] std::io::Error),
}

impl PageError {
    fn status(&self) -> StatusCode {
        match self {
            Self::Foreign => StatusCode::FORBIDDEN,
            Self::Form => StatusCode::BAD_REQUEST,
            Self::BadLink => StatusCode::NOT_FOUND,
            Self::ExpiredLink | Self::UsedLink => StatusCode::GONE,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Broken(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        if let Self::Broken(cause) = &self {
            tracing::error!(cause = chain(cause), "somebody could not be signed in");
        }
        let title = self.to_string();
        let content = Refused { title: title.trim_end_matches('.'), error: &self };
        let mut response = page(self.status(), &content);
        if let Self::TooMany { wait } = self {
            response.headers_mut().insert(header::RETRY_AFTER, wait.into());
        }
        response
    }
}
