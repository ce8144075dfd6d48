//! The part of GitHub's REST interface that the platform and its users need.
//!
//! Addresses, bodies, statuses and errors are GitHub's (<https://docs.github.com/en/rest>). Only what is listed in
//! [`routes`] is there; anything else does not exist.

mod access;
mod apps;
mod check_runs;
mod check_suites;
mod contents;
mod deliveries;
mod deployments;
mod error;
mod git_objects;
mod installations;
mod page;
mod repositories;
mod statuses;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post, put};

use crate::app::App;

pub(crate) use error::ApiError;
pub(crate) use page::{page, query};

/// The largest body of a request, in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// Every address.
pub(crate) fn routes() -> Router<Arc<App>> {
    let repository = Router::new()
        .route("/", get(repositories::show).patch(repositories::rename).delete(repositories::remove))
        .route("/installation", get(apps::of_repository))
        .route("/contents", get(contents::root))
        .route("/contents/", get(contents::root))
        .route("/contents/{*path}", get(contents::show))
        .route("/branches/{*branch}", get(git_objects::branch))
        .route("/commits/{ref}", get(git_objects::commit))
        .route("/commits/{ref}/check-runs", get(check_runs::list))
        .route("/commits/{ref}/check-suites", get(check_suites::list))
        .route("/commits/{ref}/status", get(statuses::combined))
        .route("/commits/{ref}/statuses", get(statuses::list))
        .route("/check-runs", post(check_runs::create))
        .route("/check-runs/{id}", get(check_runs::show).patch(check_runs::update))
        .route("/check-runs/{id}/annotations", get(check_runs::annotations))
        .route("/check-runs/{id}/rerequest", post(check_runs::rerequest))
        .route("/check-suites/{id}", get(check_suites::show))
        .route("/check-suites/{id}/check-runs", get(check_suites::check_runs))
        .route("/check-suites/{id}/rerequest", post(check_suites::rerequest))
        .route("/statuses/{sha}", post(statuses::create))
        .route("/deployments", get(deployments::list).post(deployments::create))
        .route("/deployments/{id}", get(deployments::show))
        .route("/deployments/{id}/statuses", get(deployments::statuses).post(deployments::report))
        .route("/deployments/{id}/statuses/{status}", get(deployments::status));
    Router::new()
        .nest("/repos/{owner}/{repo}", repository)
        .route("/app", get(apps::show))
        .route("/app/installations", get(apps::installations))
        .route("/app/installations/{id}", get(apps::installation).delete(installations::uninstall))
        .route("/app/installations/{id}/access_tokens", post(apps::access_token))
        .route("/app/hook/deliveries", get(deliveries::list))
        .route("/app/hook/deliveries/{id}", get(deliveries::show))
        .route("/app/hook/deliveries/{id}/attempts", post(deliveries::redeliver))
        .route("/installation/repositories", get(apps::repositories))
        .route(
            "/user/installations/{id}/repositories/{repository}",
            put(installations::add_repository).delete(installations::remove_repository),
        )
        .layer(DefaultBodyLimit::max(MAX_BODY))
}
