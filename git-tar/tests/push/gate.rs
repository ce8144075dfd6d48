//! A gateway that holds up calls of one function until a test lets them go.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use http::{HeaderMap, Method, StatusCode, Uri};
use tokio::sync::Semaphore;

use crate::lab::{Lab, read_order};

/// A gateway in front of the lab's, where calls of buildshiprun wait for a permit.
#[derive(Clone)]
pub(crate) struct Gate {
    inner: String,
    held: &'static str,
    http: reqwest::Client,
    arrived: Arc<Semaphore>,
    pub(crate) leave: Arc<Semaphore>,
    sent: Arc<std::sync::Mutex<Vec<String>>>,
}

impl Gate {
    /// Before buildshiprun.
    pub(crate) async fn start(lab: &mut Lab) -> Self {
        Self::before(lab, "buildshiprun").await
    }

    pub(crate) async fn before(lab: &mut Lab, held: &'static str) -> Self {
        let inner = lab.gateway.vars(&[]).into_iter().find(|(name, _)| name == "gateway_url").unwrap().1;
        let gate = Self {
            inner,
            held,
            http: sdk::http::client(),
            arrived: Arc::new(Semaphore::new(0)),
            leave: Arc::new(Semaphore::new(0)),
            sent: Arc::default(),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let routes =
            Router::new().fallback(pass).layer(axum::extract::DefaultBodyLimit::disable()).with_state(gate.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        lab.set("gateway_url", url);
        gate
    }

    pub(crate) fn sent(&self) -> Vec<String> {
        self.sent.lock().unwrap().clone()
    }

    pub(crate) async fn one_arrives(&self) {
        let waited = tokio::time::timeout(std::time::Duration::from_secs(20), self.arrived.acquire()).await;
        waited.expect("the function is called").unwrap().forget();
    }
}

async fn pass(
    State(gate): State<Gate>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, Bytes) {
    if uri.path() == "/function/buildshiprun" {
        gate.sent.lock().unwrap().push(format!(
            "{}@{}",
            read_order(&body).order.function,
            read_order(&body).order.event.sha.short()
        ));
    }
    if uri.path().strip_prefix("/function/") == Some(gate.held) {
        gate.arrived.add_permits(1);
        gate.leave.acquire().await.unwrap().forget();
    }
    let mut request =
        gate.http.request(method, format!("{}{}", gate.inner.trim_end_matches('/'), uri.path())).body(body);
    for (name, value) in headers.iter().filter(|(name, _)| !matches!(name.as_str(), "host" | "content-length")) {
        request = request.header(name, value);
    }
    let response = request.send().await.unwrap();
    (response.status(), response.bytes().await.unwrap())
}
