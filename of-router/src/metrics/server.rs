//! Answers Prometheus, on an address of its own.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use super::render::render;
use crate::serving::Common;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
/// How long a connection may take over one head.
const HEAD: Duration = Duration::from_secs(10);
const BREATH: Duration = Duration::from_millis(100);

/// Serves `/metrics` until it is dropped.
pub(crate) async fn serve(listener: TcpListener, common: Arc<Common>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(BREATH).await;
            continue;
        };
        let common = common.clone();
        let service = service_fn(move |request| {
            let response = answer(&request, &common);
            async move { Ok::<_, Infallible>(response) }
        });
        let mut builder = hyper::server::conn::http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(HEAD);
        tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
    }
}

fn answer<B>(request: &Request<B>, common: &Common) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    if request.uri().path() != "/metrics" {
        *response.status_mut() = StatusCode::NOT_FOUND;
    } else if request.method() == Method::GET || request.method() == Method::HEAD {
        *response.body_mut() = Full::from(render(common));
        response.headers_mut().insert(header::CONTENT_TYPE, TEXT);
    } else {
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    }
    response
}
