//! Apps from manifests: the page where a person confirms one, and the exchange of the code that it gives.

use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use http::request::Parts;
use serde_json::{Value, json};
use url::Url;

use super::routes::{Asked, Reply, created, ok};
use super::{APP_ID, FakeGithub, Kept, app_key};

/// What the App that is made signs webhooks with.
pub const WEBHOOK_SECRET: &str = "webhook-secret-made-by-github";
/// What people sign in with.
pub const CLIENT_SECRET: &str = "client-secret-made-by-github";

/// What a browser finds outside the API; `None` where there is nothing.
pub(super) fn page(fake: &FakeGithub, head: &Parts, body: &[u8]) -> Option<Response> {
    let path: Vec<&str> = head.uri.path().trim_matches('/').split('/').collect();
    let is_it =
        matches!(path.as_slice(), ["settings", "apps", "new"] | ["organizations", _, "settings", "apps", "new"]);
    if !is_it || head.method != http::Method::POST {
        return None;
    }
    let field = |text: &[u8], name: &str| {
        url::form_urlencoded::parse(text).find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
    };
    let state = field(head.uri.query().unwrap_or_default().as_bytes(), "state");
    let manifest: Option<Value> = field(body, "manifest").and_then(|text| serde_json::from_str(&text).ok());
    let mut kept = fake.kept();
    let target = manifest.as_ref().and_then(|manifest| manifest["redirect_url"].as_str()?.parse::<Url>().ok());
    let (Some(manifest), Some(mut target)) = (manifest, target) else {
        kept.faults.push("no manifest with a redirect_url".to_owned());
        return Some(StatusCode::UNPROCESSABLE_ENTITY.into_response());
    };
    let code = format!("code{}", kept.next_id());
    target.query_pairs_mut().append_pair("code", &code).extend_pairs(state.map(|state| ("state", state)));
    kept.codes.push(code);
    kept.manifests.push((head.uri.path().to_owned(), manifest));
    Some(Redirect::to(target.as_str()).into_response())
}

pub(super) fn convert(kept: &mut Kept, asked: &Asked<'_>) -> Reply {
    let place = kept.codes.iter().position(|code| code == asked.path[1]);
    kept.codes.remove(place.ok_or((StatusCode::NOT_FOUND, "Not Found"))?);
    let mut app = about(kept);
    app["client_secret"] = json!(CLIENT_SECRET);
    app["webhook_secret"] = json!(WEBHOOK_SECRET);
    app["pem"] = json!(app_key().pkcs1());
    created(app)
}

pub(super) fn show(kept: &Kept, asked: &Asked<'_>) -> Reply {
    asked.bearer.is_app()?;
    ok(about(kept))
}

fn about(kept: &Kept) -> Value {
    let manifest = kept.manifests.last().map(|(_, manifest)| manifest.clone()).unwrap_or_default();
    let events = manifest["default_events"].as_array().cloned();
    json!({
        "id": APP_ID,
        "slug": "ofc-of-tests",
        "client_id": "Iv23.of-tests",
        "name": manifest["name"].as_str().unwrap_or("ofc of tests"),
        "html_url": "https://github.example/apps/ofc-of-tests",
        "permissions": kept.permissions,
        "events": events.unwrap_or_else(|| vec![json!("push")]),
    })
}
