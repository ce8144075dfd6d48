//! Providers that are slow, huge, gone, or say nonsense.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use super::*;
use crate::provider::Kind;
use crate::provider::caller::Caller;

/// A provider that gives one answer to everything.
async fn answering(answer: impl Fn() -> Response + Clone + Send + Sync + 'static) -> Provider {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(move || std::future::ready(answer()));
    tokio::spawn(async move { axum::serve(listener, app).await });
    provider(&[("oauth_provider_base_url", &url)])
}

async fn finish(provider: &Provider) -> ProviderError {
    let (_, pending) = provider.begin(&redirect_uri()).await.unwrap();
    provider.finish(&pending, "code", &redirect_uri()).await.unwrap_err()
}

#[tokio::test]
async fn nonsense_instead_of_a_token_is_no_login() {
    let bodies = [
        "",
        "<html>Sign in</html>",
        "[]",
        "{}",
        r#"{"access_token":"t"}"#,
        r#"{"access_token":"","token_type":"bearer"}"#,
        r#"{"access_token":"a b","token_type":"bearer"}"#,
        r#"{"access_token":"t\n","token_type":"bearer"}"#,
        r#"{"access_token":7,"token_type":"bearer"}"#,
        r#"{"access_token":"t","token_type":"mac"}"#,
        r#"{"access_token":"t","token_type":"bearer"} {}"#,
        "access_token=t&token_type=bearer",
    ];
    for body in bodies {
        let provider = answering(move || body.into_response()).await;
        let error = finish(&provider).await;
        assert!(matches!(error, ProviderError::Nonsense { .. }), "{body}: {error:?}");
    }
}

#[tokio::test]
async fn errors_and_redirects_are_no_login() {
    let good = r#"{"access_token":"t","token_type":"bearer"}"#;
    for status in [201, 302, 307, 401, 404, 500, 503] {
        let status = StatusCode::from_u16(status).unwrap();
        let provider = answering(move || (status, [("location", "/elsewhere")], good).into_response()).await;
        let error = finish(&provider).await;
        assert!(matches!(error, ProviderError::Status { .. }), "{status}: {error:?}");
    }
}

#[tokio::test]
async fn an_error_of_the_providers_cannot_write_into_the_log() {
    let provider = answering(|| r#"{"error":"x\n2026 ERROR all is lost"}"#.into_response()).await;
    let error = finish(&provider).await.to_string();
    assert_eq!(error, "the provider refused the login: for a reason that is no error code");
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let provider = answering(|| {
        let chunk = || Ok::<_, std::convert::Infallible>(Bytes::from(vec![b' '; 64 * 1024]));
        Body::from_stream(stream::repeat_with(chunk)).into_response()
    })
    .await;
    assert!(matches!(finish(&provider).await, ProviderError::TooLarge { .. }));
}

#[tokio::test]
async fn a_provider_that_keeps_silent_is_given_up() {
    let mut slow =
        answering(|| Body::from_stream(stream::pending::<Result<Bytes, std::convert::Infallible>>()).into_response())
            .await;
    let Kind::GitHub(github) = &mut slow.kind else { panic!("{slow:?}") };
    github.set_caller(Caller::within(Duration::from_millis(100)));
    let error = finish(&slow).await;
    assert!(matches!(error, ProviderError::TooSlow), "{error:?}");
    assert_eq!(error.status(), 504);
}

#[tokio::test]
async fn a_provider_that_is_gone_is_told_so() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = finish(&provider(&[("oauth_provider_base_url", &url)])).await;
    assert!(matches!(error, ProviderError::Unreachable(_)), "{error:?}");
    assert!(error.public().contains("does not answer"));
}
