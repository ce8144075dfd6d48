//! nginx in front of a server that sends what it is told to all who listen.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse as _;
use axum::routing::get;
use futures_util::{StreamExt as _, stream};
use tokio::net::TcpListener;
use tokio::sync::broadcast::{self, Sender};

use crate::child::free_port;
use crate::nginx::{Nginx, whole};

const START_LIMIT: Duration = Duration::from_secs(20);

pub(super) struct Peer {
    pub(super) nginx: Nginx,
    lines: Sender<Bytes>,
    server: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Peer {
    pub(super) async fn start() -> Result<Self> {
        let (lines, _) = broadcast::channel::<Bytes>(16);
        let sender = lines.clone();
        let listen = move || {
            let begin = stream::once(async { Ok::<_, Infallible>(Bytes::from_static(b": live\n\n")) });
            let rest =
                stream::unfold(sender.subscribe(), async |mut lines| Some((Ok(lines.recv().await.ok()?), lines)));
            let body = Body::from_stream(begin.chain(rest));
            async { ([(CONTENT_TYPE, "text/event-stream")], body).into_response() }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = tokio::spawn(axum::serve(listener, Router::new().route("/", get(listen))).into_future());
        let port = free_port()?;
        let proxy = format!(
            "server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://{address}; proxy_http_version 1.1; \
             proxy_set_header Connection \"\"; proxy_buffering off; proxy_read_timeout 1h; }} }}\n"
        );
        let nginx = Nginx::serving(port, |directory| whole(directory, &proxy))?;
        Ok(Self { nginx, lines, server })
    }

    /// Waits until so many listen.
    pub(super) async fn wait_for(&self, listeners: usize) -> Result<()> {
        let began = Instant::now();
        while self.lines.receiver_count() < listeners {
            ensure!(began.elapsed() < START_LIMIT, "only {} listen", self.lines.receiver_count());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    pub(super) fn send(&self, line: String) -> Result<()> {
        self.lines.send(format!("event: lines\ndata: {line}\n\n").into())?;
        Ok(())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.server.abort();
    }
}
