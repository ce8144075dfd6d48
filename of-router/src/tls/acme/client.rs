//! How the authority is reached: our one HTTP client, with limits.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};

use super::OrderError;
use crate::tls::settings::Acme;

/// The longest that one answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest answer, in bytes; a chain is a few thousand.
const MAX_ANSWER: u64 = 1 << 20;

/// The authority's HTTP client.
#[derive(Debug, Clone)]
pub(super) struct Client(reqwest::Client);

impl Client {
    pub(super) fn new(settings: &Acme) -> Result<Self, OrderError> {
        let mut builder = sdk::http::builder().https_only(true).timeout(TIMEOUT);
        if let Some(file) = &settings.ca_file {
            let pem = std::fs::read(file).map_err(OrderError::CaFile)?;
            let roots = reqwest::Certificate::from_pem_bundle(&pem).map_err(OrderError::Client)?;
            builder = builder.tls_certs_only(roots);
        }
        builder.build().map(Self).map_err(OrderError::Client)
    }
}

impl HttpClient for Client {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let client = self.0.clone();
        Box::pin(async move { exchange(client, request).await.map_err(|error| Error::Other(error.into())) })
    }
}

async fn exchange(client: reqwest::Client, request: Request<BodyWrapper<Bytes>>) -> anyhow::Result<BytesResponse> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let request = reqwest::Request::try_from(Request::from_parts(parts, body))?;
    let mut answer = client.execute(request).await?;
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await? {
        anyhow::ensure!((body.len() + part.len()) as u64 <= MAX_ANSWER, "an answer of the authority's is too long");
        body.extend_from_slice(&part);
    }
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    Ok(BytesResponse::from(response))
}
