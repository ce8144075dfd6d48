//! The pages' contents, by the files in `templates/`.

use askama::Template;
use sdk::id::Owner;

use super::error::PageError;

/// The form.
#[derive(Debug, Template)]
#[template(path = "sign_in.html")]
pub(crate) struct SignIn<'a> {
    /// What was typed before.
    pub(crate) login: &'a str,
    /// What is wrong with it.
    pub(crate) wrong: Option<&'a str>,
}

/// Says who is signed in.
#[derive(Debug, Template)]
#[template(path = "signed_in.html")]
pub(crate) struct SignedIn<'a> {
    pub(crate) owner: &'a Owner,
}

/// Goes on by itself.
#[derive(Debug, Template)]
#[template(path = "moment.html")]
pub(crate) struct Moment<'a> {
    pub(crate) owner: &'a Owner,
    pub(crate) next: &'a str,
}

/// Offers to sign out.
#[derive(Debug, Template)]
#[template(path = "sign_out.html")]
pub(crate) struct SignOut<'a> {
    pub(crate) owner: &'a Owner,
}

/// After that.
#[derive(Debug, Template)]
#[template(path = "signed_out.html")]
pub(crate) struct SignedOut;

/// What a link would do.
#[derive(Debug, Template)]
#[template(path = "link.html")]
pub(crate) struct LinkPage<'a> {
    pub(crate) owner: &'a Owner,
    /// Somebody else who is signed in.
    pub(crate) other: Option<&'a Owner>,
}

/// Go on as who is signed in, or as somebody else?
#[derive(Debug, Template)]
#[template(path = "choose.html")]
pub(crate) struct Choose<'a> {
    pub(crate) owner: &'a Owner,
    /// The query of the authorisation.
    pub(crate) query: &'a str,
}

/// Somebody asks for a client that is not ours.
#[derive(Debug, Template)]
#[template(path = "unknown_client.html")]
pub(crate) struct UnknownClient<'a> {
    pub(crate) sentence: &'a str,
}

/// Why somebody is not signed in.
#[derive(Debug, Template)]
#[template(path = "refused.html")]
pub(crate) struct Refused<'a> {
    pub(crate) title: &'a str,
    pub(crate) error: &'a PageError,
}
