//! Against a whole gateway of this project.
#![expect(clippy::unwrap_used, reason = "test helper")]

use axum::Router;
use axum::routing::get;
use http::StatusCode;
use of_gateway::{Config, Gateway, PlatformFunction};
use sdk::Env;
use sdk::metrics::{MetricsRequest, Source, Window};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::ask::{PAYLOAD_SECRET, ask, eventually, owned_by, request, serve};
use crate::scraper::Scraper;

/// A gateway without an engine: its functions are in this process.
pub(crate) struct Running {
    pub(crate) url: String,
    pub(crate) metrics: Router,
    _dir: tempfile::TempDir,
    _stop: tokio_util::sync::DropGuard,
}

impl Running {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let functions = [
            ("alice-a", owned_by("git.localhost", 7)),
            ("alice-idle", owned_by("git.localhost", 7)),
            ("alice-of-bob", owned_by("git.localhost", 8)),
            ("alice-elsewhere", owned_by("github.com", 7)),
            ("alice-bare", [].into()),
        ];
        let fail = get(|| async { (StatusCode::BAD_GATEWAY, "failed") });
        let router = Router::new().route("/", get(|| async { "ok" })).route("/fail", fail);
        let mounted =
            functions.map(|(name, labels)| PlatformFunction { labels, ..PlatformFunction::new(name, router.clone()) });
        let config = Config {
            engine: format!("unix://{}/no-engine.sock", dir.path().display()),
            platform: mounted.into(),
            ..Config::new(dir.path(), "admin", SecretString::from("secret"))
        };
        let gateway = Gateway::start(config).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (metrics, stop) = (gateway.metrics(), CancellationToken::new());
        tokio::spawn(gateway.serve(listener, stop.clone()));
        Self { url, metrics, _dir: dir, _stop: stop.drop_guard() }
    }

    /// The function, told of this gateway.
    pub(crate) fn asked_by(&self, more: &[(&str, &str)]) -> Router {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let vars: Vec<_> = more.iter().chain(&[("gateway_url", self.url.as_str())]).map(own).collect();
        let secrets =
            [("payload-secret", PAYLOAD_SECRET), ("basic-auth-user", "admin"), ("basic-auth-password", "secret")];
        system_metrics::router(&Env::from_map(vars, secrets.iter().map(own).collect::<Vec<_>>())).unwrap()
    }

    pub(crate) async fn call(&self, path: &str, times: usize) {
        for _ in 0..times {
            let answer = sdk::http::client().get(format!("{}/function/{path}", self.url)).send().await.unwrap();
            answer.bytes().await.unwrap();
        }
    }
}

#[tokio::test]
async fn without_prometheus_the_gateways_history_says_how_an_owners_functions_do() {
    let gateway = Running::start().await;
    let function = gateway.asked_by(&[]);
    gateway.call("alice-a", 3).await;
    gateway.call("alice-a/fail", 1).await;
    gateway.call("alice-of-bob", 5).await;
    let all = MetricsRequest { points: 10, ..request(7, &[]) };
    let answer = eventually("all calls to be counted", async || {
        let answer = ask(&function, &all).await;
        (answer.functions["alice-a"].codes == [(200, 3.0), (502, 1.0)].into()).then_some(answer)
    })
    .await;
    assert_eq!(answer.source, Source::Gateway);
    assert!(answer.since <= answer.until && answer.until - answer.since < 3600, "since the gateway's start");
    assert_eq!(answer.functions.keys().collect::<Vec<_>>(), ["alice-a", "alice-idle"]);
    let figures = &answer.functions["alice-a"];
    assert_eq!(figures.series.iter().map(|point| (point.success, point.failure)).next_back(), Some((3.0, 1.0)));
    assert!(figures.latency.is_some_and(|latency| latency.p99 >= latency.p50 && latency.p50 > 0.0));
    let idle = &answer.functions["alice-idle"];
    assert_eq!((idle.success(), idle.failure(), idle.latency, idle.replicas), (0.0, 0.0, None, Some(1.0)));
}

#[tokio::test]
async fn labels_decide_whose_functions_are_answered_for_and_not_names() {
    let gateway = Running::start().await;
    let function = gateway.asked_by(&[]);
    let names = async |id, asked: &[&str]| {
        let answer = ask(&function, &request(id, asked)).await;
        answer.functions.into_keys().collect::<Vec<_>>()
    };
    assert_eq!(names(7, &["alice-a"]).await, ["alice-a"]);
    assert_eq!(names(7, &["alice-a", "alice-of-bob", "nobody"]).await, ["alice-a"]);
    assert_eq!(names(8, &[]).await, ["alice-of-bob"]);
    for (id, asked) in [(7, "alice-of-bob"), (7, "alice-elsewhere"), (7, "alice-bare"), (7, "nobody"), (0, "alice-a")] {
        assert!(names(id, &[asked]).await.is_empty(), "{id} {asked}: not theirs and not there look the same");
    }
}

#[tokio::test]
async fn a_prometheus_that_scrapes_the_gateway_is_asked_first() {
    let gateway = Running::start().await;
    let prometheus = Scraper::start(&serve(gateway.metrics.clone()).await);
    let function = gateway.asked_by(&[("prometheus_url", &prometheus.url), ("prometheus_timeout", "30s")]);
    let asked = MetricsRequest { points: 240, ..request(7, &[]) };
    // An increase is told from two different values at least.
    let answer = eventually("Prometheus to know of calls", async || {
        gateway.call("alice-a", 2).await;
        gateway.call("alice-a/fail", 1).await;
        let answer = ask(&function, &asked).await;
        let figures = &answer.functions["alice-a"];
        let whole = figures.success() > 0.0 && figures.failure() > 0.0 && figures.series.last()?.latency.is_some();
        (answer.source == Source::Prometheus && whole).then_some(answer)
    })
    .await;
    assert_eq!(answer.until - answer.since, 3600);
    assert_eq!(answer.functions.keys().collect::<Vec<_>>(), ["alice-a", "alice-idle"]);
    let figures = &answer.functions["alice-a"];
    assert_eq!(figures.codes.keys().collect::<Vec<_>>(), [&200, &502]);
    assert!(figures.latency.is_some_and(|latency| latency.p99 >= latency.p50 && latency.p50 > 0.0), "{figures:?}");
    assert_eq!(figures.series.len(), 60, "points are a minute apart at least");
    let last = figures.series.last().unwrap();
    assert!(last.success > 0.0 && last.failure > 0.0 && last.at == answer.until, "{last:?}");
    assert_eq!((last.replicas, last.memory, last.cpu), (Some(1.0), None, None));
    let idle = &answer.functions["alice-idle"];
    assert_eq!((idle.codes.len(), idle.latency, idle.replicas), (0, None, Some(1.0)));
    let week = ask(&function, &MetricsRequest { window: Window::Week, points: 7, ..request(7, &["alice-a"]) }).await;
    assert_eq!((week.source, week.functions["alice-a"].series.len()), (Source::Prometheus, 7));
}
