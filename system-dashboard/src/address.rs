//! What an address asks for. Nothing of one that makes no sense is repeated in the answer.

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::refusal::Refusal;
use crate::visitor::Place;

/// What follows the question mark.
#[derive(Debug, Clone)]
pub(crate) struct Query<T>(pub(crate) T);

/// A page about a function of an owner's, whom the visitor belongs to. Whether there is such a function is not known yet.
pub(crate) struct Visit<T = Nothing> {
    pub(crate) app: App,
    pub(crate) place: Place,
    /// The function's name, as it was written.
    pub(crate) name: String,
    pub(crate) asked: T,
}

/// Nothing that follows the question mark is looked at.
#[derive(Debug, Deserialize)]
pub(crate) struct Nothing {}

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Refusal> {
        let query = axum::extract::Query::try_from_uri(&parts.uri);
        query.map(|asked| Self(asked.0)).map_err(|_| Refusal::Bad("The address is not understood."))
    }
}

impl<T: DeserializeOwned> FromRequestParts<App> for Visit<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let place = Place::from_request_parts(parts, app).await?;
        let params = RawPathParams::from_request_parts(parts, app).await.map_err(|_| Refusal::NotFound)?;
        let name = params.iter().find(|(name, _)| *name == "function").map(|(_, function)| function.to_owned());
        let Query(asked) = Query::from_request_parts(parts, app).await?;
        Ok(Self { app: app.clone(), place, name: name.ok_or(Refusal::NotFound)?, asked })
    }
}
