//! The API's refusals, for which no engine is needed.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use of_builder::Config;
use sdk::Env;
use sdk::signing::sha256_header;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Starts a builder whose engine is not there.
async fn start(vars: &[(&str, &str)]) -> String {
    let nowhere = ("docker_host", "unix:///nonexistent/docker.sock");
    let vars = vars.iter().copied().chain([nowhere]);
    let config = Config::from_env(&Env::from_map(vars, [("payload-secret", "secret")])).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(of_builder::serve(config, listener, CancellationToken::new()));
    url
}

async fn post(url: &str, body: Vec<u8>, signature: Option<&str>) -> (u16, String) {
    let mut request = sdk::http::client().post(format!("{url}/build")).body(body);
    if let Some(signature) = signature {
        request = request.header("x-build-signature", signature);
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

fn sign(body: &[u8]) -> String {
    sha256_header(&"secret".into(), body)
}

fn archive() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, text) in [("com.openfaas.docker.config", r#"{"image":"a/b"}"#), ("context/Dockerfile", "FROM scratch\n")]
    {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        tar.append_data(&mut header, path, text.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap()
}

#[tokio::test]
async fn unsigned_and_wrongly_signed_bodies_are_refused_before_they_are_read() {
    let url = start(&[]).await;
    // Not even a tar: were it looked at, the answer would be another.
    let body = b"not a tar".to_vec();
    let (status, text) = post(&url, body.clone(), None).await;
    assert_eq!(status, 401);
    insta::assert_snapshot!(text, @r#"{"log":[],"image":"","status":"failed","error":"the request carries no X-Build-Signature: sign the body with payload-secret"}"#);
    assert_eq!(post(&url, body.clone(), Some("sha256=12")).await.0, 401);
    let (status, text) = post(&url, body.clone(), Some(&sign(b"another body"))).await;
    assert_eq!(status, 403);
    insta::assert_snapshot!(text, @r#"{"log":[],"image":"","status":"failed","error":"X-Build-Signature does not fit the body: is the same payload-secret used on both sides?"}"#);
    assert_eq!(post(&url, body.clone(), Some(&sign(&body))).await.0, 400);
}

#[tokio::test]
async fn a_large_body_is_413_even_for_a_client_that_sends_it_all() {
    let url = start(&[("max_body_bytes", "100000")]).await;
    let body = vec![7; 150_000];
    let (status, text) = post(&url, body.clone(), Some(&sign(&body))).await;
    assert_eq!(status, 413);
    assert!(text.contains("the body is larger than 100000 bytes"), "{text}");
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_408() {
    let url = start(&[("receive_timeout", "100ms")]).await;
    let answer = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
        let signature = sign(b"");
        write!(
            stream,
            "POST /build HTTP/1.1\r\nhost: x\r\nx-build-signature: {signature}\r\ncontent-length: 10\r\n\r\nabc"
        )
        .unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    });
    assert_eq!(answer.await.unwrap(), "HTTP/1.1 408");
}

#[tokio::test]
async fn a_compressed_body_is_415() {
    let url = start(&[]).await;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&archive()).unwrap();
    let body = gzip.finish().unwrap();
    let (status, text) = post(&url, body.clone(), Some(&sign(&body))).await;
    assert_eq!(status, 415);
    assert!(text.contains("gzip-compressed: send a plain tar"), "{text}");
}

#[tokio::test]
async fn a_silent_engine_is_503_with_a_sentence() {
    let url = start(&[]).await;
    let body = archive();
    let (status, text) = post(&url, body.clone(), Some(&sign(&body))).await;
    assert_eq!(status, 503);
    insta::assert_snapshot!(text, @r#"{"log":[],"image":"","status":"failed","error":"the container engine at unix:///nonexistent/docker.sock does not answer: is it running?","retry":true}"#);
}

#[tokio::test]
async fn a_full_or_missing_spool_is_507() {
    let url = start(&[("spool_directory", "/nonexistent")]).await;
    let (status, text) = post(&url, archive(), Some(&sign(&archive()))).await;
    assert_eq!(status, 507);
    assert!(text.contains("could not be kept"), "{text}");
}

#[tokio::test]
async fn health_readiness_and_the_key_answer() {
    let url = start(&[]).await;
    let get = async |path: &str| {
        let response = sdk::http::client().get(format!("{url}{path}")).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    assert_eq!(get("/healthz").await, (200, "OK".to_owned()));
    assert_eq!(get("/ready").await.0, 503);
    assert_eq!(get("/load").await, (200, r#"{"builds":0,"most":4}"#.to_owned()));
    assert_eq!(get("/publickey").await.0, 501);
    assert_eq!(get("/build").await.0, 405);
}
