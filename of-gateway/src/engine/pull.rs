//! Pulling images: once for all who want the same one at the same time, with the progress in the log.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::models::CreateImageInfo;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::StreamExt as _;
use futures_util::future::{BoxFuture, FutureExt as _, Shared, WeakShared};
use http::HeaderName;
use tokio::time::timeout;

use super::image::ImageError;
use super::{Engine, EngineError};

const REGISTRY_AUTH: HeaderName = HeaderName::from_static("x-registry-auth");
/// Between two lines about one pull.
const REPORT: Duration = Duration::from_secs(5);

type Pull = BoxFuture<'static, Result<(), ImageError>>;

/// The pulls under way, by image. A pull that nobody waits for any more is dropped, and the engine ends it.
#[derive(Default)]
pub(super) struct Pulls {
    running: Mutex<HashMap<String, WeakShared<Pull>>>,
}

impl Pulls {
    /// The pull of this image that is under way, or the one that `begin` makes.
    fn join(&self, image: &str, begin: impl FnOnce() -> Pull) -> Shared<Pull> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        // An ended pull is of the past: the tag may name another image by now.
        running.retain(|_, pull| pull.upgrade().is_some_and(|pull| pull.peek().is_none()));
        if let Some(pull) = running.get(image).and_then(WeakShared::upgrade) {
            tracing::info!(image, "The image is being pulled already.");
            return pull;
        }
        let pull = begin().shared();
        running.extend(pull.downgrade().map(|weak| (image.to_owned(), weak)));
        pull
    }
}

impl Engine {
    /// Pulls an image, or waits for the pull of it that is under way.
    pub(super) async fn pull(&self, image: &str) -> Result<(), ImageError> {
        let docker = self.docker()?.clone();
        // A short file, read by whoever waits for it anyway.
        let header = self.registries.header(image)?;
        let (name, limit, address) = (image.to_owned(), self.pull_timeout, self.address.clone());
        let begin = move || {
            let docker = match header {
                Some(header) => docker.with_request_modifier(move |mut request| {
                    request.headers_mut().insert(REGISTRY_AUTH, header.clone());
                    request
                }),
                None => docker,
            };
            let pull = async move {
                match timeout(limit, pull(&docker, &name, &address)).await {
                    Ok(outcome) => outcome,
                    Err(_) => Err(ImageError::Timeout { image: name, limit }),
                }
            };
            pull.boxed()
        };
        self.pulls.join(image, begin).await
    }
}

async fn pull(docker: &Docker, image: &str, address: &str) -> Result<(), ImageError> {
    tracing::info!(image, "Pulling an image.");
    let (name, tag) = split(image);
    let options = CreateImageOptionsBuilder::default().from_image(name).tag(tag).build();
    let mut progress = Progress::new(Instant::now());
    let mut events = docker.create_image(Some(options), None, None);
    while let Some(event) = events.next().await {
        let event = event.map_err(|source| refused(image, EngineError::of("pull image", image, address, source)))?;
        if progress.take(&event, Instant::now()) {
            let Progress { layers, .. } = &progress;
            let (done, bytes, total) = progress.sums();
            tracing::info!(image, layers = layers.len(), done, bytes, total, "Still pulling an image.");
        }
    }
    let size = docker.inspect_image(image).await.ok().and_then(|image| image.size).unwrap_or_default();
    let milliseconds = progress.begun.elapsed().as_millis();
    tracing::info!(image, milliseconds, size, layers = progress.layers.len(), "An image was pulled.");
    Ok(())
}

fn refused(image: &str, error: EngineError) -> ImageError {
    match error {
        EngineError::Refused { message, .. } => ImageError::Pull { image: image.to_owned(), message },
        error => error.into(),
    }
}

/// What the engine has told about a pull.
struct Progress {
    begun: Instant,
    reported: Instant,
    layers: HashMap<String, Layer>,
}

#[derive(Default)]
struct Layer {
    /// Bytes that have arrived, and all bytes, as far as they are known.
    bytes: u64,
    total: u64,
    done: bool,
}

impl Progress {
    fn new(now: Instant) -> Self {
        Self { begun: now, reported: now, layers: HashMap::new() }
    }

    /// Notes an event; says whether it is time for a line.
    fn take(&mut self, event: &CreateImageInfo, now: Instant) -> bool {
        let (Some(id), Some(status)) = (&event.id, &event.status) else { return false };
        // The one event whose id is the tag.
        if status.starts_with("Pulling from") {
            return false;
        }
        let layer = self.layers.entry(id.clone()).or_default();
        match status.as_str() {
            "Downloading" => {
                let figure = |figure: Option<i64>| figure.and_then(|figure| u64::try_from(figure).ok());
                let detail = event.progress_detail.as_ref();
                layer.bytes = detail.and_then(|detail| figure(detail.current)).unwrap_or(layer.bytes);
                layer.total = detail.and_then(|detail| figure(detail.total)).unwrap_or(layer.total);
            }
            "Download complete" => layer.bytes = layer.total,
            "Pull complete" | "Already exists" => layer.done = true,
            _ => {}
        }
        let due = now.duration_since(self.reported) >= REPORT;
        if due {
            self.reported = now;
        }
        due
    }

    /// Layers that are done, bytes that have arrived, all bytes.
    fn sums(&self) -> (usize, u64, u64) {
        let layers = || self.layers.values();
        (
            layers().filter(|layer| layer.done).count(),
            layers().map(|layer| layer.bytes).sum(),
            layers().map(|layer| layer.total).sum(),
        )
    }
}

/// Name and tag (or digest). Without a tag the engine would pull all of them.
fn split(image: &str) -> (&str, &str) {
    if let Some((name, digest)) = image.split_once('@') {
        // `name:tag@digest`: the digest decides.
        return (split(name).0, digest);
    }
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (image, "latest"),
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::ProgressDetail;

    use futures_util::future;

    use super::*;

    #[test]
    fn names_are_split_from_tags_and_digests() {
        assert_eq!(split("alpine"), ("alpine", "latest"));
        assert_eq!(split("127.0.0.1:5000/a/b"), ("127.0.0.1:5000/a/b", "latest"));
        assert_eq!(split("127.0.0.1:5000/a/b:v1"), ("127.0.0.1:5000/a/b", "v1"));
        assert_eq!(split("a/b:v1@sha256:00"), ("a/b", "sha256:00"));
    }

    fn event(id: &str, status: &str, detail: Option<(i64, i64)>) -> CreateImageInfo {
        let detail = detail.map(|(current, total)| ProgressDetail { current: Some(current), total: Some(total) });
        CreateImageInfo {
            id: Some(id.to_owned()),
            status: Some(status.to_owned()),
            progress_detail: detail,
            ..CreateImageInfo::default()
        }
    }

    #[test]
    fn a_pull_reports_now_and_then_and_not_at_every_event() {
        let begun = Instant::now();
        let mut progress = Progress::new(begun);
        let mut due = 0;
        for second in 0..12 {
            let now = begun + Duration::from_secs(second);
            for layer in ["a", "b"] {
                due += usize::from(progress.take(&event(layer, "Downloading", Some((second as i64, 100))), now));
            }
        }
        assert_eq!(due, 2, "after five and ten seconds");
        progress.take(&event("latest", "Pulling from a/b", None), begun);
        progress.take(&event("a", "Download complete", None), begun);
        progress.take(&event("a", "Pull complete", None), begun);
        assert_eq!((progress.layers.len(), progress.sums()), (2, (1, 111, 200)));
    }

    #[tokio::test]
    async fn those_who_want_one_image_at_one_time_share_a_pull() {
        let pulls = Pulls::default();
        let (open, gate) = tokio::sync::oneshot::channel::<()>();
        let begun = std::cell::Cell::new(0);
        let first = pulls.join("a", || {
            begun.set(begun.get() + 1);
            gate.map(|_| Ok(())).boxed()
        });
        let never = || -> Pull { unreachable!("it is under way") };
        let second = pulls.join("a", never);
        let other = pulls.join("b", || future::ready(Ok(())).boxed());
        other.await.unwrap();
        open.send(()).unwrap();
        let (first, second) = tokio::join!(first, second);
        assert!(first.is_ok() && second.is_ok() && begun.get() == 1);
        let again = pulls.join("a", || {
            begun.set(begun.get() + 1);
            future::ready(Ok(())).boxed()
        });
        assert!(again.await.is_ok() && begun.get() == 2, "what has ended is not shared");
        let dropped = pulls.join("c", || future::pending().boxed());
        drop(dropped);
        assert!(pulls.join("c", || future::ready(Ok(())).boxed()).await.is_ok());
    }
}
