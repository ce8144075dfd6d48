//! The router's own answers.

mod body;
mod page;

use std::time::Duration;

use http::{Response, StatusCode, header};
use upstream::ForwardError;

use crate::route::Refusal;

pub(crate) use body::{Body, Held, Received};
pub(crate) use page::{Action, Asked, accepts_pages, suited};

/// A short text.
pub(crate) fn text(status: StatusCode, sentence: &str) -> Response<Body> {
    let mut response = Response::new(Body::own(format!("{sentence}\n")));
    *response.status_mut() = status;
    let plain = header::HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
    response
}

/// The text that an authority looks for.
pub(crate) fn challenge(content: String) -> Response<Body> {
    let mut response = Response::new(Body::own(content));
    let bytes = header::HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, bytes);
    response
}

/// The same, with encryption. Method and body stay as they are.
pub(crate) fn moved(location: header::HeaderValue) -> Response<Body> {
    let mut response = text(StatusCode::PERMANENT_REDIRECT, "This is served with encryption only.");
    response.headers_mut().insert(header::LOCATION, location);
    response
}

/// What this place is. `authority` is how the caller got here, and well-formed.
pub(crate) fn about(domain: &str, authority: &str) -> Response<Body> {
    let mut response = text(StatusCode::OK, &about_sentence(domain, authority));
    response.extensions_mut().insert(page::Welcome);
    response
}

/// Names the port that the caller came by, so that the address can be used as it stands.
fn about_sentence(domain: &str, authority: &str) -> String {
    let port = authority.rsplit_once(':').map(|(_, port)| format!(":{port}")).unwrap_or_default();
    format!("OpenFaaS Cloud. Functions are at <owner>.{domain}{port}/<function>.")
}

/// The answer to a request that goes nowhere.
pub(crate) fn refuse(refusal: &Refusal, host: &str, path: &str) -> Response<Body> {
    match refusal {
        Refusal::BadHost => text(StatusCode::BAD_REQUEST, "The request has to name exactly one well-formed host."),
        Refusal::BadPath(reason) => text(StatusCode::BAD_REQUEST, &format!("The path is not served: {reason}.")),
        Refusal::Unknown => not_found(host, path),
    }
}

/// The connection was made for somebody else's host (RFC 9110, 15.5.20). Browsers make another one and ask again.
pub(crate) fn misdirected() -> Response<Body> {
    let mut response =
        text(StatusCode::MISDIRECTED_REQUEST, "This connection was made for another host. Make a new one.");
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}

/// Nothing is there. Both names are checked before this, so they hold no surprises.
pub(crate) fn not_found(host: &str, path: &str) -> Response<Body> {
    let name: String = path.trim_start_matches('/').split('/').next().unwrap_or_default().chars().take(64).collect();
    let sentence = if name.is_empty() {
        format!("There is nothing at {host}/. Functions are at {host}/<function>.")
    } else {
        format!("There is no function '{name}' at {host}.")
    };
    text(StatusCode::NOT_FOUND, &sentence)
}

/// Nobody knows whose the function is.
pub(crate) fn unclear() -> Response<Body> {
    text(
        StatusCode::SERVICE_UNAVAILABLE,
        "It cannot be told at the moment whether this function is here. Try again soon.",
    )
}

/// A request's body is longer than is taken.
pub(crate) fn too_long(limit: u64) -> Response<Body> {
    let sentence = format!("A request may have a body of at most {}. Send less, or send it in parts.", size(limit));
    text(StatusCode::PAYLOAD_TOO_LARGE, &sentence)
}

/// A number of bytes as people say it.
fn size(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let whole = units.into_iter().find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit));
    whole.map_or_else(|| format!("{bytes} bytes"), |(unit, name)| format!("{} {name}", bytes / unit))
}

/// An owner's functions are called too much.
pub(crate) fn too_many(wait: Duration) -> Response<Body> {
    let seconds = (wait.as_secs() + u64::from(wait.subsec_nanos() != 0)).max(1);
    let wait = if seconds == 1 { "a second".to_owned() } else { format!("{seconds} seconds") };
    let sentence =
        format!("There are too many requests to this owner's functions at the moment. Wait {wait}, and try again.");
    let mut response = text(StatusCode::TOO_MANY_REQUESTS, &sentence);
    response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from(seconds));
    response
}

/// The upstream gave no answer.
pub(crate) fn failed(error: &ForwardError, limit: u64) -> Response<Body> {
    match error {
        ForwardError::Timeout(after) => {
            let seconds = after.as_secs_f32();
            let sentence = format!(
                "There was no answer within {seconds} seconds. What was begun may still go on: look whether it is done \
                 before you ask again."
            );
            text(StatusCode::GATEWAY_TIMEOUT, &sentence)
        }
        ForwardError::TooLong => too_long(limit),
        ForwardError::ClientGone => text(
            StatusCode::REQUEST_TIMEOUT,
            "The request did not come to its end in time. Check your connection, and send it again.",
        ),
        ForwardError::Connect { .. } | ForwardError::Broken(_) | ForwardError::Unasked | ForwardError::Gone => text(
            StatusCode::BAD_GATEWAY,
            "The service behind this address gave no answer. Try again in a moment. If that does not help, tell whoever \
             runs it.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{about_sentence, size};

    #[test]
    fn sizes_are_said_in_the_largest_unit_that_fits() {
        for (bytes, said) in [(100 << 20, "100 MiB"), (4 << 30, "4 GiB"), (64 << 10, "64 KiB"), (1025, "1025 bytes")] {
            assert_eq!(size(bytes), said);
        }
        assert_eq!(size(0), "0 bytes");
    }

    #[test]
    fn the_address_of_functions_keeps_the_port() {
        assert!(about_sentence("localhost", "system.localhost:8000").contains("<owner>.localhost:8000/<function>"));
        assert!(about_sentence("example.com", "example.com").contains("<owner>.example.com/<function>"));
    }
}
