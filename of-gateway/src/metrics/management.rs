//! Requests of the management API, by route.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::Method;
use prometheus::proto::Histogram;

use super::series::Series;
use crate::app::App;

/// For what has no route: a client must not be able to make series without end.
const NO_ROUTE: &str = "other";

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) status: u16,
}

#[derive(Debug, Default)]
pub(crate) struct Management(Mutex<BTreeMap<Key, Arc<Series>>>);

impl Management {
    fn series(&self, key: Key) -> Arc<Series> {
        Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default())
    }

    pub(super) fn ended(&self) -> Vec<(Key, Histogram)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|(key, series)| (key.clone(), series.histogram())).collect()
    }
}

/// Counts a request under its route, refused or not.
pub(crate) async fn count(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let path = request.extensions().get::<MatchedPath>().map_or(NO_ROUTE, MatchedPath::as_str).to_owned();
    let method = name(request.method());
    let response = next.run(request).await;
    let key = Key { method, path, status: response.status().as_u16() };
    app.metrics.management.series(key).observe(began.elapsed());
    response
}

fn name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => NO_ROUTE,
    }
}
