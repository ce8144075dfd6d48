//! Pages that are none. What is not there and what is somebody else's get the same one.

use askama::Template;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use crate::page;

/// Why there is no page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// It is not proven who asks; the router sends people to sign in.
    #[error("It is not proven who asks. Sign in first.")]
    SignIn,
    /// Not there, or not theirs.
    #[error("There is nothing here, or nothing that is yours to see.")]
    NotFound,
    /// What was sent makes no sense.
    #[error("{0}")]
    Bad(&'static str),
    /// The form is not one of ours.
    #[error("This form is too old, or was not sent from its own page. Go back, load the page again and try once more.")]
    Form,
    /// All live places are taken.
    #[error("Too many pages are live at the moment. Try again soon.")]
    Crowded,
    /// Another part does not answer, and without it there is nothing to show.
    #[error("{0} does not answer at the moment. Try again soon.")]
    Down(&'static str),
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::SignIn => StatusCode::UNAUTHORIZED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Bad(_) => StatusCode::BAD_REQUEST,
            Self::Form => StatusCode::FORBIDDEN,
            Self::Crowded => StatusCode::TOO_MANY_REQUESTS,
            Self::Down(_) => StatusCode::BAD_GATEWAY,
        }
    }

    fn title(&self) -> &'static str {
        match self {
            Self::SignIn => "Sign in",
            Self::NotFound => "Not found",
            Self::Bad(_) => "Not understood",
            Self::Form => "Not done",
            Self::Crowded => "Too busy",
            Self::Down(_) => "Not available",
        }
    }
}

#[derive(Template)]
#[template(path = "refusal.html")]
struct Page {
    title: &'static str,
    sentence: String,
    css: &'static str,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let css = crate::assets::css();
        page::answer(self.status(), &Page { title: self.title(), sentence: self.to_string(), css })
    }
}
