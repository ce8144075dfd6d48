//! The style and the script, under names that change with their content, so that browsers keep them for good.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use sha2::{Digest, Sha256};

use crate::refusal::Refusal;

const STYLE: &str = include_str!("../assets/style.css");
const SCRIPT: &str = include_str!("../assets/live.js");
const ICON: &str = include_str!("../assets/icon.svg");
const FOR_GOOD: &str = "public, max-age=31536000, immutable";

static CSS: LazyLock<String> = LazyLock::new(|| named(STYLE, "css"));
static JS: LazyLock<String> = LazyLock::new(|| named(SCRIPT, "js"));

/// Where the style is.
pub(crate) fn css() -> &'static str {
    &CSS
}

/// Where the script is.
pub(crate) fn js() -> &'static str {
    &JS
}

fn named(text: &str, ending: &str) -> String {
    format!("/dashboard/-/assets/{}.{ending}", &hex::encode(Sha256::digest(text))[..16])
}

/// Nothing in them is anybody's, so everybody may have them.
pub(crate) async fn show(Path(name): Path<String>) -> Result<Response, Refusal> {
    let is = |path: &str| path.rsplit('/').next() == Some(name.as_str());
    let (kind, text) = match () {
        () if is(css()) => ("text/css; charset=utf-8", STYLE),
        () if is(js()) => ("text/javascript; charset=utf-8", SCRIPT),
        () if name == "icon.svg" => ("image/svg+xml", ICON),
        () => return Err(Refusal::NotFound),
    };
    let cache = if name == "icon.svg" { "public, max-age=86400" } else { FOR_GOOD };
    Ok(([(CONTENT_TYPE, kind), (CACHE_CONTROL, cache)], text).into_response())
}
