//! Starts the runtime on free ports and speaks HTTP to it byte by byte.

#![expect(clippy::unwrap_used, reason = "test helper")]

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use openfaas_runtime::{Config, Env, Listeners, ServeError, serve};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Nothing here takes this long unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Running {
    pub(crate) http: SocketAddr,
    pub(crate) metrics: SocketAddr,
    pub(crate) folder: TempDir,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<Result<(), ServeError>>,
}

pub(crate) async fn start(vars: &[(&str, &str)], router: Router) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let temporary = folder.path().to_str().unwrap();
    let defaults = [("TMPDIR", temporary), ("access_log", "false")];
    let env = Env::from_map(
        defaults.into_iter().chain(vars.iter().copied()),
        [] as [(&str, &str); 0],
    );
    let config = Config::from_env(&env).unwrap();
    let listeners = Listeners {
        http: free_port().await,
        metrics: free_port().await,
    };
    let (http, metrics) = (
        listeners.http.local_addr().unwrap(),
        listeners.metrics.local_addr().unwrap(),
    );
    let (stop, stopped) = oneshot::channel();
    let server = tokio::spawn(serve(config, router, listeners, async {
        let _ = stopped.await;
    }));
    Running {
        http,
        metrics,
        folder,
        stop: Some(stop),
        server,
    }
}

async fn free_port() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

impl Running {
    pub(crate) fn ask_to_stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    /// Waits for the end of the server.
    pub(crate) async fn ended(self) {
        within(self.server).await.unwrap().unwrap();
    }

    pub(crate) async fn connect(&self) -> Connection {
        Connection(TcpStream::connect(self.http).await.unwrap())
    }

    /// A whole response to `GET path` on a connection of its own.
    pub(crate) async fn get(&self, path: &str) -> String {
        get(self.http, path).await
    }
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> String {
    let mut connection = Connection(TcpStream::connect(address).await.unwrap());
    connection
        .send(&format!(
            "GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n"
        ))
        .await;
    connection.rest().await
}

pub(crate) struct Connection(pub(crate) TcpStream);

impl Connection {
    pub(crate) async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads until `end` has come.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        let mut text = Vec::new();
        while !text.ends_with(end.as_bytes()) {
            let byte = within(self.0.read_u8()).await;
            let so_far = String::from_utf8_lossy(&text);
            text.push(byte.unwrap_or_else(|error| panic!("no {end:?} in {so_far:?}: {error}")));
        }
        String::from_utf8(text).unwrap()
    }

    /// Reads until the server closes. A reset counts as that.
    pub(crate) async fn rest(mut self) -> String {
        let mut text = Vec::new();
        let _ = within(self.0.read_to_end(&mut text)).await;
        String::from_utf8(text).unwrap()
    }
}

pub(crate) async fn within<F: Future>(work: F) -> F::Output {
    tokio::time::timeout(PATIENCE, work).await.unwrap()
}

/// Asks again and again until `condition` holds.
pub(crate) async fn eventually(mut condition: impl AsyncFnMut() -> bool) {
    within(async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
