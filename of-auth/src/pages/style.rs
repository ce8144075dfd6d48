//! The one stylesheet. It is part of every page, and the page's policy names its hash: so it needs no address of its own
//! at owners' hosts, and nobody else's style gets in.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

use crate::random;

/// The style, for templates.
pub(crate) const TEXT: &str = include_str!("../../templates/style.css");

/// No script at all, no frames, no style but ours, forms to this host alone.
static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
    let hash = STANDARD.encode(random::hash(TEXT));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).ok()
});
/// Without style, if there should be no hash.
const CLOSED: HeaderValue =
    HeaderValue::from_static("default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'");

/// What browsers may load, for every answer.
pub(crate) fn policy() -> HeaderValue {
    POLICY.clone().unwrap_or(CLOSED)
}
