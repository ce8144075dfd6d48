//! Sends the answer of a queued call to the address its sender asked for.

mod address;
mod hosts;
mod resolver;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderMap, HeaderName, HeaderValue};
use queue::Call;
use tokio::time::sleep;
use upstream::strip_hop_by_hop;
use url::Url;

pub use self::hosts::CallbackHosts;
use self::resolver::Guarded;
use super::Retry;
use super::run::Outcome;
use crate::app::App;
use crate::invoke::{Chain, X_CALL_ID};

const X_CALLBACK_URL: HeaderName = HeaderName::from_static("x-callback-url");
const X_FUNCTION_NAME: HeaderName = HeaderName::from_static("x-function-name");
const X_FUNCTION_STATUS: HeaderName = HeaderName::from_static("x-function-status");
const X_DURATION_SECONDS: HeaderName = HeaderName::from_static("x-duration-seconds");

/// A gateway is called so from within the functions of an OpenFaaS installation.
const SERVICE_NAMES: [&str; 4] =
    ["gateway", "gateway.openfaas", "gateway.openfaas.svc", "gateway.openfaas.svc.cluster.local"];
const SERVICE_PORT: u16 = 8080;
/// What a callback may ask of this gateway.
const OWN_PATHS: [&str; 2] = ["/function/", "/async-function/"];

const TIMEOUT: Duration = Duration::from_secs(30);
const RETRY: Retry = Retry { first: Duration::from_millis(250), cap: Duration::from_secs(5), attempts: 4 };

/// What sends callbacks, and knows where they may go.
pub(crate) struct Callbacks {
    client: reqwest::Client,
    hosts: Arc<CallbackHosts>,
    /// Where this gateway itself listens.
    own: OnceLock<SocketAddr>,
    /// Its port for functions.
    inside: Option<u16>,
}

/// Where a callback goes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// To a function of this gateway, by an address that works from here.
    Own(Url),
    Other(Url),
}

/// What is wrong with a callback address.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum BadCallback {
    #[error("X-Callback-Url must be an absolute http or https URL with a host")]
    NoUrl,
    #[error(
        "X-Callback-Url may not lead to this host: unless the gateway's setting callback_hosts names others, callbacks \
         go to functions of this gateway and to the public internet"
    )]
    Forbidden,
}

impl Callbacks {
    #[expect(clippy::expect_used, reason = "like the shared client, it is built from constants")]
    pub(crate) fn new(hosts: CallbackHosts, inside: Option<u16>) -> Self {
        let hosts = Arc::new(hosts);
        let guarded = sdk::http::builder().dns_resolver(Guarded(Arc::clone(&hosts)));
        Self {
            client: guarded.build().expect("a client without options of the user's can be built"),
            hosts,
            own: OnceLock::new(),
            inside,
        }
    }

    /// This gateway listens here. Said once; a second port of the same gateway would be as good.
    pub(crate) fn listening(&self, address: SocketAddr) {
        let _ = self.own.set(address);
    }

    /// Where a callback is to go, if a request asks for one.
    pub(crate) fn target(&self, headers: &HeaderMap) -> Result<Option<Target>, BadCallback> {
        let Some(value) = headers.get(X_CALLBACK_URL) else { return Ok(None) };
        let url = value.to_str().ok().and_then(|text| Url::parse(text).ok()).ok_or(BadCallback::NoUrl)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(BadCallback::NoUrl);
        }
        match self.own(&url) {
            Some(own) => Ok(Some(Target::Own(own))),
            None if self.hosts.allow(&url) => Ok(Some(Target::Other(url))),
            None => Err(BadCallback::Forbidden),
        }
    }

    /// The URL of a function of this gateway, by whatever name, with an address that works from here.
    fn own(&self, url: &Url) -> Option<Url> {
        let own = self.own.get()?;
        let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']');
        let port = url.port_or_known_default()?;
        let here = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback() || ip == own.ip());
        let served = port == SERVICE_PORT || port == own.port() || self.inside == Some(port);
        let named = SERVICE_NAMES.contains(&host) && served;
        let function = OWN_PATHS.iter().any(|prefix| url.path().starts_with(prefix));
        if url.scheme() != "http" || !function || !(named || (here && port == own.port())) {
            return None;
        }
        let mut reachable = url.clone();
        reachable.set_ip_host(reachable_ip(own.ip())).ok()?;
        reachable.set_port(Some(own.port())).ok()?;
        Some(reachable)
    }
}

/// Who listens on all addresses listens on this one too.
fn reachable_ip(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(v4) if v4.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(v6) if v6.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other,
    }
}

pub(super) fn is_wanted(call: &Call) -> bool {
    call.head.headers.contains_key(X_CALLBACK_URL)
}

/// The function itself does not see where its answer goes.
pub(super) fn strip(headers: &mut HeaderMap) {
    headers.remove(X_CALLBACK_URL);
}

/// Tries a few times; a callback that nobody takes is logged and dropped, the function has run.
pub(super) async fn deliver(app: &App, call: &Call, outcome: &Outcome) {
    let url = match app.callbacks.target(&call.head.headers) {
        Ok(Some(Target::Own(url) | Target::Other(url))) => url,
        Ok(None) => return,
        Err(error) => return undelivered(call, None, &error.to_string()),
    };
    let mut attempt = 1;
    while let Err(reason) = post(app, url.clone(), call, outcome).await {
        let Some(wait) = RETRY.after(attempt) else { return undelivered(call, url.host_str(), &reason) };
        sleep(wait).await;
        attempt += 1;
    }
}

/// The address may carry a token, so only its host is logged.
fn undelivered(call: &Call, host: Option<&str>, reason: &str) {
    let (function, call_id) = (&*call.head.lane.function, call.head.call_id.as_str());
    tracing::warn!(host, function, call_id, reason, "A callback could not be delivered.");
}

async fn post(app: &App, url: Url, call: &Call, outcome: &Outcome) -> Result<(), String> {
    let disk = |error: std::io::Error| format!("the kept answer cannot be read: {error}");
    let mut headers = headers(app, call, outcome);
    headers.insert(CONTENT_LENGTH, outcome.body.length().await.map_err(disk)?.into());
    let request = app.callbacks.client.post(url).headers(headers).timeout(TIMEOUT);
    let sent = request.body(outcome.body.body().await.map_err(disk)?).send().await;
    let sent = sent.map_err(|error| Chain(&error.without_url()).to_string())?;
    match sent.status() {
        status if status.is_server_error() || status.as_u16() == 429 => Err(format!("answered {status}")),
        _ => Ok(()),
    }
}

fn headers(app: &App, call: &Call, outcome: &Outcome) -> HeaderMap {
    let mut headers = outcome.headers.clone();
    strip_hop_by_hop(&mut headers);
    headers.remove(HOST);
    let mut set = |name: HeaderName, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    };
    set(X_CALL_ID, call.head.call_id.clone());
    set(X_FUNCTION_NAME, shown_name(app, call));
    set(X_FUNCTION_STATUS, outcome.status.as_u16().to_string());
    set(X_DURATION_SECONDS, format!("{:.6}", outcome.took.as_secs_f64()));
    headers
}

/// As its caller wrote it: most name no namespace, and mean the default one.
fn shown_name(app: &App, call: &Call) -> String {
    let id = app.queued(&call.head.lane.function);
    if id.namespace == app.config.namespace { id.name } else { id.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(callbacks: &Callbacks, url: &str) -> Result<String, BadCallback> {
        let headers = HeaderMap::from_iter([(X_CALLBACK_URL, HeaderValue::from_str(url).unwrap())]);
        callbacks.target(&headers).map(|target| match target.unwrap() {
            Target::Own(url) | Target::Other(url) => url.to_string(),
        })
    }

    fn listening(address: &str) -> Callbacks {
        let callbacks = Callbacks::new(CallbackHosts::default(), Some(9090));
        callbacks.listening(address.parse().unwrap());
        callbacks
    }

    #[test]
    fn functions_of_this_gateway_may_be_called_back_by_all_its_names() {
        let callbacks = listening("0.0.0.0:3000");
        for url in [
            "http://gateway:8080/function/f/x?y",
            "http://gateway.openfaas:8080/function/f/x?y",
            "http://gateway.openfaas.svc.cluster.local:3000/function/f/x?y",
            "http://gateway.openfaas:9090/function/f/x?y",
            "http://127.0.0.1:3000/function/f/x?y",
            "http://localhost:3000/function/f/x?y",
            "http://[::1]:3000/function/f/x?y",
        ] {
            assert_eq!(target(&callbacks, url).as_deref(), Ok("http://127.0.0.1:3000/function/f/x?y"), "{url}");
        }
        let other = listening("10.1.2.3:8080");
        assert_eq!(
            target(&other, "http://gateway:8080/async-function/f").as_deref(),
            Ok("http://10.1.2.3:8080/async-function/f")
        );
        assert!(target(&other, "http://10.1.2.3:8080/function/f").is_ok());
    }

    #[test]
    fn nothing_else_of_this_machine_may_be() {
        let callbacks = listening("127.0.0.1:3000");
        for url in [
            "http://127.0.0.1:3000/system/functions",
            "http://127.0.0.1:3000/function/../system/functions",
            "http://127.0.0.1:3001/function/f",
            "https://127.0.0.1:3000/function/f",
            "http://169.254.169.254/function/f",
            "http://localhost.evil.example@127.0.0.1:3001/function/f",
        ] {
            assert_eq!(target(&callbacks, url), Err(BadCallback::Forbidden), "{url}");
        }
        for url in ["/function/f", "ftp://gateway:8080/function/f", "file:///etc/passwd", "nonsense"] {
            assert_eq!(target(&callbacks, url), Err(BadCallback::NoUrl), "{url}");
        }
    }
}
