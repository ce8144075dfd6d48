//! A badge that shows how a function stands, for everybody who has its address.
//!
//! Who has no right one learns nothing: a function that is not there, another owner's and a wrong proof are the same 404, and
//! where the gateway does not say, nobody is told whether the proof was right.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, StatusCode};
use sdk::id::{FunctionName, Owner, ServiceName};
use sha2::{Digest, Sha256};

use super::standing::Standing;
use crate::app::App;
use crate::refusal::Refusal;

/// Proxies of pages that show it have to ask again each time.
const ALWAYS_ASK: &str = "no-cache, max-age=0";

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
    Path((owner, name, file)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let proof = file.strip_suffix(".svg").ok_or(Refusal::NotFound)?;
    let service = service(&owner, &name).ok_or(Refusal::NotFound)?;
    let found = app.badges.find(&app.gateway, &service).await.map_err(|_| Refusal::Down("The gateway"))?;
    let known = found.filter(|known| app.badges.is_good(known, proof)).ok_or(Refusal::NotFound)?;
    let svg = drawn(&name, known.standing)?;
    // Weak, as the same picture may be sent compressed or not.
    let tag = format!("W/\"{}\"", &hex::encode(Sha256::digest(&svg))[..16]);
    let same = [(CACHE_CONTROL, ALWAYS_ASK.to_owned()), (ETAG, tag.clone())];
    if is_known(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, same).into_response());
    }
    Ok((same, [(CONTENT_TYPE, "image/svg+xml")], svg).into_response())
}

/// The name at the gateway.
fn service(owner: &str, function: &str) -> Option<ServiceName> {
    ServiceName::of(&owner.parse::<Owner>().ok()?, &function.parse::<FunctionName>().ok()?).ok()
}

fn drawn(name: &str, standing: Standing) -> Result<String, Refusal> {
    let colour = match standing.mark {
        "good" => "#1a7f4b",
        "bad" => "#b3261e",
        "busy" => "#8a5a00",
        _ => "#5b6472",
    };
    // A character of this size is about seven units wide.
    let (left, right) = (name.len() * 7 + 14, standing.word.len() * 7 + 14);
    let badge = Badge { name, word: standing.word, colour, left, right };
    askama::Template::render(&badge).map_err(|_| Refusal::NotFound)
}

/// Whether who asks has this very picture already.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let told = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    told.flat_map(|value| value.split(',')).any(|known| known.trim() == tag)
}
