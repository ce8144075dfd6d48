//! A badge that shows how a function stands.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use super::standing;
use crate::app::App;
use crate::ask;
use crate::refusal::Refusal;
use crate::visitor::Place;

#[derive(askama::Template)]
#[template(path = "badge.svg", escape = "html")]
struct Badge<'a> {
    name: &'a str,
    word: &'a str,
    colour: &'a str,
    left: usize,
    right: usize,
}

pub(crate) async fn show(
    State(app): State<App>,
    place: Place,
    Path((_, name)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let found = ask::function(&app, &place, &name).await.map_err(|down| Refusal::Down(down.0))?;
    let standing = standing::of(&found.ok_or(Refusal::NotFound)?);
    let colour = match standing.mark {
        "good" => "#1a7f4b",
        "bad" => "#b3261e",
        "busy" => "#8a5a00",
        _ => "#5b6472",
    };
    // A character of this size is about seven units wide.
    let (left, right) = (name.len() * 7 + 14, standing.word.len() * 7 + 14);
    let badge = Badge { name: &name, word: standing.word, colour, left, right };
    let svg = askama::Template::render(&badge).map_err(|_| Refusal::NotFound)?;
    Ok(([(CONTENT_TYPE, "image/svg+xml"), (CACHE_CONTROL, "no-cache")], svg).into_response())
}
