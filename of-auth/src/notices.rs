//! Telling routers at once which sessions have ended.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, StatusCode};
use session::protocol::{ALIVE_SECONDS, Notice};
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;

use crate::app::App;

/// Notices that a slow router may be behind. One that is further behind is cut off, and hears all anew.
const BEHIND: usize = 4096;
/// Lines that wait for the network.
const LINES: usize = 64;

/// Where notices are published.
#[derive(Debug, Clone)]
pub(crate) struct Notices(broadcast::Sender<Notice>);

impl Notices {
    pub(crate) fn new() -> Self {
        Self(broadcast::channel(BEHIND).0)
    }

    /// Tells everybody who listens. What was revoked is stored before.
    pub(crate) fn publish(&self, ended: &[(String, u64)]) {
        for (sid, until) in ended {
            // Nobody listens: whoever does later reads it from the store.
            let _ = self.0.send(Notice::Revoked { sid: sid.clone(), until: *until });
        }
    }
}

/// `GET /internal/notices`.
pub(crate) async fn stream(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    if let Err(error) = app.key.verify(&Method::GET, &headers, b"") {
        tracing::warn!(%error, "Notices were asked for by somebody else than a router");
        return (StatusCode::UNAUTHORIZED, format!("{error}\n")).into_response();
    }
    // Before the store is read: what is revoked in between comes twice rather than never.
    let live = app.notices.0.subscribe();
    let revoked = match app.store.revoked(app.clock.now()).await {
        Ok(revoked) => revoked,
        Err(error) => return crate::refusal::Refusal::from(error).into_response(),
    };
    let (lines, body) = mpsc::channel(LINES);
    let stop = app.stop.clone();
    app.tasks.spawn(async move {
        tokio::select! {
            _ = tell(lines, revoked, live) => {}
            () = stop.cancelled() => {}
        }
    });
    ([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(ReceiverStream::new(body))).into_response()
}

/// Ends when the router is gone or too far behind.
async fn tell(
    lines: mpsc::Sender<Result<Bytes, Infallible>>,
    revoked: Vec<(String, u64)>,
    mut live: broadcast::Receiver<Notice>,
) -> Option<()> {
    for (sid, until) in revoked {
        send(&lines, &Notice::Revoked { sid, until }).await?;
    }
    send(&lines, &Notice::Ready).await?;
    let mut alive = tokio::time::interval(Duration::from_secs(ALIVE_SECONDS));
    loop {
        let notice = tokio::select! {
            notice = live.recv() => notice.ok()?,
            _ = alive.tick() => Notice::Alive,
        };
        send(&lines, &notice).await?;
    }
}

async fn send(lines: &mpsc::Sender<Result<Bytes, Infallible>>, notice: &Notice) -> Option<()> {
    let mut line = serde_json::to_vec(notice).ok()?;
    line.push(b'\n');
    lines.send(Ok(Bytes::from(line))).await.ok()
}
