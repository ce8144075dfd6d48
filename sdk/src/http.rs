//! The HTTP client that everything here uses.

use std::time::Duration;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Idle connections are dropped before the servers of this project drop them (60 s).
const POOL_IDLE: Duration = Duration::from_secs(50);

/// A client that follows no redirect, uses no proxy and has no limit on the whole call (each caller sets
/// its own).
///
/// # Panics
/// Never in practice: building fails only without a TLS provider.
#[expect(clippy::expect_used, reason = "no input of any kind reaches the builder")]
pub fn client() -> reqwest::Client {
    builder().build().expect("a client without options of the user's can be built")
}

/// The same, for who wants to add something. Installs the process's one TLS provider first, which is harmless where
/// it is there already.
pub fn builder() -> reqwest::ClientBuilder {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE)
        .tcp_nodelay(true)
        .user_agent(concat!("openfaas-cloud/", env!("CARGO_PKG_VERSION")))
}
