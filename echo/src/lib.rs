#![doc = include_str!("../README.md")]

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode};
use sdk::{ConfigError, Env};

/// The function.
///
/// # Errors
/// Never: there is nothing to configure.
pub fn router(_: &Env) -> Result<Router, ConfigError> {
    Ok(Router::new().fallback(echo))
}

async fn echo(request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::OK;
    if let Some(kind) = head.headers.get(CONTENT_TYPE) {
        response.headers_mut().insert(CONTENT_TYPE, kind.clone());
    }
    // A browser must not take a stranger's bytes for a page of this site.
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests {
    use http::Request;
    use tower::ServiceExt;

    use super::*;

    async fn send(request: Request<Body>) -> Response<Body> {
        let env = Env::from_map([("", ""); 0], [("", ""); 0]);
        router(&env).unwrap().oneshot(request).await.unwrap()
    }

    #[tokio::test]
    async fn body_and_content_type_come_back() {
        let body = vec![0u8; 3 * 1024 * 1024];
        let request = Request::post("/any/path").header(CONTENT_TYPE, "image/png").body(body.clone().into()).unwrap();
        let response = send(request).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[CONTENT_TYPE], "image/png");
        assert_eq!(axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap(), body);
    }

    #[tokio::test]
    async fn nothing_comes_back_as_nothing() {
        let response = send(Request::get("/").body(Body::empty()).unwrap()).await;
        assert!(!response.headers().contains_key(CONTENT_TYPE));
        assert!(axum::body::to_bytes(response.into_body(), 1).await.unwrap().is_empty());
    }
}
