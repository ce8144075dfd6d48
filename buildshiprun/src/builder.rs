//! A client of the OpenFaaS Function Builder API.

use std::io::{self, Read, Seek, SeekFrom};
use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt};
use http::StatusCode;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use sdk::failure::Failure;
use sdk::id::ImageDigest;
use sdk::signing::BodySigner;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::codec::{FramedRead, LinesCodec};
use tokio_util::io::{ReaderStream, StreamReader};

use crate::build_log::BuildLog;
use crate::config::BuilderConfig;
use crate::parcel::Context;
use crate::problem::Problem;

const MAX_LINE: usize = 1024 * 1024;
const MAX_ERROR: usize = 64 * 1024;
const BUFFER: usize = 256 * 1024;
/// Between two tries while the builder is busy, unless it says otherwise.
const BUSY_WAIT: Duration = Duration::from_millis(250);
const MAX_BUSY_WAIT: Duration = Duration::from_secs(30);

/// A line of the answer, or the whole of it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Report {
    log: Option<Vec<String>>,
    image: Option<String>,
    status: Option<String>,
    error: Option<String>,
    /// Of our own builder only: nothing was built, because the image was there.
    reused: bool,
    /// Of our own builder only: the failure is the builder's, not the build's.
    retry: bool,
    /// Of our own builder only: the line of the Dockerfile that failed.
    line: Option<u32>,
}

pub(crate) struct Builder {
    http: reqwest::Client,
    config: BuilderConfig,
}

/// What a build came to.
pub(crate) struct Built {
    /// The image by its digest.
    pub(crate) image: String,
    /// It was there already, made from the same files.
    pub(crate) reused: bool,
}

/// How one try ended.
enum Attempt {
    Built(Built),
    /// All builders are busy.
    Busy(Duration),
}

impl Builder {
    pub(crate) fn new(config: BuilderConfig) -> Self {
        Self { http: sdk::http::client(), config }
    }

    /// Builds the context and returns the image by its digest. Waits while the builder is busy.
    pub(crate) async fn build(&self, context: Context, log: &mut BuildLog) -> Result<Built, Problem> {
        let built = self.build_when_free(context, log).await;
        built.map_err(|problem| Problem { log: log.tail(), ..problem })
    }

    async fn build_when_free(&self, context: Context, log: &mut BuildLog) -> Result<Built, Problem> {
        let unreadable = |cause: io::Error| Failure::internal("the build context could not be read").because(cause);
        let deadline = Instant::now() + self.config.timeout;
        let (context, signature) = sign(context, self.config.secret.clone()).await.map_err(unreadable)?;
        loop {
            let (body, begun) = (body(&context).await.map_err(unreadable)?, Instant::now());
            let attempt = self.attempt(body, context.length, &signature, log);
            let attempt = tokio::time::timeout_at(deadline.into(), attempt).await;
            match attempt.unwrap_or_else(|_| Err(self.out_of_time(begun).into()))? {
                Attempt::Built(built) => return Ok(Built { image: self.pullable(&built.image)?, ..built }),
                Attempt::Busy(wait) if Instant::now() + wait >= deadline => return Err(self.no_turn().into()),
                Attempt::Busy(wait) => tokio::time::sleep(wait).await,
            }
        }
    }

    /// Others' builds may have taken most of the time; only a build that had enough of it is itself too slow.
    fn out_of_time(&self, begun: Instant) -> Failure {
        let time = self.config.timeout;
        if begun.elapsed() < time / 2 {
            return self.no_turn();
        }
        Failure::refused(format!("the build was not done within {} s and was stopped", time.as_secs()))
    }

    fn no_turn(&self) -> Failure {
        let time = self.config.timeout.as_secs();
        Failure::upstream(format!("the builder was busy with other builds for most of {time} s"))
    }

    async fn attempt(
        &self,
        body: reqwest::Body,
        length: u64,
        signature: &str,
        log: &mut BuildLog,
    ) -> Result<Attempt, Problem> {
        let mut url = self.config.url.clone();
        url.set_path(&format!("{}/build", url.path().trim_end_matches('/')));
        let request = self
            .http
            .post(url)
            .header("x-build-signature", signature)
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_LENGTH, length)
            .header(ACCEPT, "application/x-ndjson")
            .body(body);
        let silent =
            |error: reqwest::Error| Failure::upstream("the builder does not answer").because(error.without_url());
        let response = request.send().await.map_err(silent)?;
        match response.status() {
            status if status.is_success() => follow(response, log).await.map(Attempt::Built),
            StatusCode::TOO_MANY_REQUESTS => Ok(Attempt::Busy(retry_after(&response))),
            _ => Err(refused(response).await.into()),
        }
    }

    /// The image by its digest, under the name by which the gateway pulls it.
    fn pullable(&self, image: &str) -> Result<String, Failure> {
        let shown: String = image.chars().filter(|c| !c.is_control()).take(300).collect();
        let unusable = || Failure::upstream(format!("the builder names no image by digest but '{shown}'"));
        let (name, digest) = image.split_once('@').ok_or_else(unusable)?;
        let digest: ImageDigest = digest.parse().map_err(|_| unusable())?;
        let name = without_tag(name);
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"./:_-".contains(&b);
        if name.is_empty() || !name.bytes().all(plain) {
            return Err(unusable());
        }
        let moved =
            self.config.pull_from.as_ref().and_then(|(push, pull)| Some(format!("{pull}{}", name.strip_prefix(push)?)));
        Ok(format!("{}@{digest}", moved.as_deref().unwrap_or(name)))
    }
}

fn without_tag(name: &str) -> &str {
    match name.rsplit_once(':') {
        Some((before, tag)) if !tag.contains('/') => before,
        _ => name,
    }
}

/// The answer's lines to the log, as they come, until the one that says how the build ended.
async fn follow(response: reqwest::Response, log: &mut BuildLog) -> Result<Built, Problem> {
    let broken = || Failure::upstream("the builder broke off");
    let bytes = response.bytes_stream().map_err(io::Error::other);
    let mut lines = FramedRead::new(StreamReader::new(bytes), LinesCodec::new_with_max_length(MAX_LINE));
    while let Some(line) = lines.next().await {
        let line = line.map_err(|cause| broken().because(cause))?;
        if line.trim().is_empty() {
            continue;
        }
        let report: Report = serde_json::from_str(&line)
            .map_err(|cause| Failure::upstream("the builder's answer is not understood").because(cause))?;
        for line in report.log.iter().flatten() {
            log.line(line).await;
        }
        match report.status.as_deref() {
            None | Some("in_progress") => {}
            Some("success") => return Ok(Built { image: report.image.unwrap_or_default(), reused: report.reused }),
            // What is not known is not success.
            Some(_) => return Err(Problem { line: report.line.filter(|_| !report.retry), ..failed(&report).into() }),
        }
    }
    Err(broken().into())
}

fn failed(report: &Report) -> Failure {
    let error = report.error.as_deref().map(str::trim).filter(|error| !error.is_empty());
    let sentence = error.and_then(|error| error.lines().next()).unwrap_or("the builder does not say why");
    if report.retry {
        Failure::upstream(format!("the build could not be done: {sentence}"))
    } else {
        Failure::refused(format!("the build failed: {sentence}"))
    }
}

/// A refusal of the whole request.
async fn refused(response: reqwest::Response) -> Failure {
    let status = response.status();
    let text = sdk::call::bounded_text(response, MAX_ERROR).await;
    let report: Report =
        serde_json::from_str(&text).unwrap_or_else(|_| Report { error: Some(text), ..Report::default() });
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Failure::upstream(
            "the builder does not accept this platform's signature: builder-payload-secret must be the builder's payload-secret",
        ),
        status if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
            failed(&Report { retry: true, ..report })
        }
        _ => failed(&report),
    }
}

fn retry_after(response: &reqwest::Response) -> Duration {
    let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    seconds.map_or(BUSY_WAIT, Duration::from_secs).min(MAX_BUSY_WAIT)
}

/// The header for the context's bytes.
async fn sign(mut context: Context, secret: secrecy::SecretString) -> io::Result<(Context, String)> {
    let signed = tokio::task::spawn_blocking(move || {
        let mut signer = BodySigner::new(&secret);
        let mut buffer = vec![0; BUFFER];
        context.file.seek(SeekFrom::Start(context.start))?;
        let mut rest = (&context.file).take(context.length);
        loop {
            match rest.read(&mut buffer)? {
                0 => return Ok((context, signer.header())),
                count => signer.update(&buffer[..count]),
            }
        }
    });
    signed.await.map_err(io::Error::other)?
}

/// The context's bytes as a body. One at a time: they share the file's position.
async fn body(context: &Context) -> io::Result<reqwest::Body> {
    let mut file = tokio::fs::File::from_std(context.file.try_clone()?);
    file.seek(SeekFrom::Start(context.start)).await?;
    let bytes = ReaderStream::with_capacity(file.take(context.length), BUFFER);
    Ok(reqwest::Body::wrap_stream(bytes))
}

/// `3.2 s`.
pub(crate) fn seconds_since(start: Instant) -> String {
    format!("{:.1} s", start.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builder(pull_from: Option<(&str, &str)>) -> Builder {
        Builder::new(BuilderConfig {
            url: "http://builder/".parse().unwrap(),
            secret: "s".into(),
            timeout: Duration::from_secs(1),
            pull_from: pull_from.map(|(push, pull)| (push.to_owned(), pull.to_owned())),
        })
    }

    #[test]
    fn images_are_deployed_by_digest_without_a_tag() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let pullable = |builder: &Builder, name: &str| builder.pullable(&format!("{name}@{digest}")).unwrap();
        assert_eq!(pullable(&builder(None), "alice/hello:abc"), format!("alice/hello@{digest}"));
        assert_eq!(pullable(&builder(None), "r.local:5000/alice/hello"), format!("r.local:5000/alice/hello@{digest}"));
        let moving = builder(Some(("registry:5000/", "127.0.0.1:5000/")));
        assert_eq!(pullable(&moving, "registry:5000/alice/hello:1"), format!("127.0.0.1:5000/alice/hello@{digest}"));
        assert_eq!(pullable(&moving, "registry:5000x/alice"), format!("registry:5000x/alice@{digest}"));
    }

    #[test]
    fn what_is_no_digest_is_no_image() {
        for image in ["", "alice/hello:latest", "alice/hello@sha256:short", "@sha256:", "a b@sha256:"] {
            assert!(builder(None).pullable(image).is_err(), "{image}");
        }
        let digest = format!("sha256:{}", "a".repeat(64));
        for name in ["", "a b", "Alice/x", "a\nb"] {
            assert!(builder(None).pullable(&format!("{name}@{digest}")).is_err(), "{name}");
        }
    }
}
