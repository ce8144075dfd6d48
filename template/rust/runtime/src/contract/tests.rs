use std::sync::atomic::{AtomicUsize, Ordering};

use axum::routing::{get, post};
use http_body_util::{BodyExt, Full};
use tokio::sync::{Notify, oneshot};

use super::*;
use crate::env::Env;

fn contract(vars: &[(&str, &str)], router: Router) -> Contract {
    let vars = vars.iter().copied().chain([("suppress_lock", "true")]);
    let config = Config::from_env(&Env::from_map(vars, [] as [(&str, &str); 0])).unwrap();
    let contract = Contract::new(&config, router, None);
    contract.health.accept();
    contract
}

fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(path);
    let request = headers
        .iter()
        .fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(Full::default()).unwrap()
}

async fn text(response: Response<Watched>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

/// Answers once told to.
fn waiting(release: Arc<Notify>) -> Router {
    let wait = move || {
        let release = Arc::clone(&release);
        async move {
            release.notified().await;
            "done"
        }
    };
    Router::new()
        .route("/", get(wait))
        .route("/ready", get(|| async { (StatusCode::ACCEPTED, "warm") }))
}

#[tokio::test]
async fn a_request_reaches_the_function_and_is_timed() {
    let contract = contract(&[], hello());
    let response = contract.answer(request("GET", "/", &[])).await;
    assert_eq!(response.status(), StatusCode::OK);
    let seconds: f64 = response.headers()[&DURATION].to_str().unwrap().parse().unwrap();
    assert!((0.0..10.0).contains(&seconds));
    assert!(!response.headers().contains_key(&INTERNAL));
    assert_eq!(text(response).await, "hello");
}

#[tokio::test]
async fn health_follows_start_and_stop() {
    let contract = contract(&[], hello());
    assert_eq!(
        contract.answer(request("GET", "/_/health", &[])).await.status(),
        StatusCode::OK
    );
    assert_eq!(
        contract.answer(request("GET", "/_/ready", &[])).await.status(),
        StatusCode::OK
    );
    let response = contract.answer(request("POST", "/_/health", &[])).await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()[header::ALLOW], "GET");
    contract.health.stop_accepting();
    for path in ["/_/health", "/_/ready"] {
        let response = contract.answer(request("GET", path, &[])).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(response.headers().contains_key(&DURATION));
    }
}

#[tokio::test]
async fn over_max_inflight_is_429_and_marked_internal() {
    let release = Arc::new(Notify::new());
    let contract = Arc::new(contract(&[("max_inflight", "1")], waiting(Arc::clone(&release))));
    let first = tokio::spawn({
        let contract = Arc::clone(&contract);
        async move { text(contract.answer(request("GET", "/", &[])).await).await }
    });
    while contract.in_flight.count() == 0 {
        tokio::task::yield_now().await;
    }
    let refused = contract.answer(request("GET", "/", &[])).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers()[&INTERNAL], "openfaas-runtime");
    assert_eq!(refused.headers()[header::CONTENT_TYPE], "text/plain; charset=utf-8");
    assert_eq!(
        contract.answer(request("GET", "/_/ready", &[])).await.status(),
        StatusCode::TOO_MANY_REQUESTS
    );
    assert_eq!(
        contract.answer(request("GET", "/_/health", &[])).await.status(),
        StatusCode::OK
    );
    release.notify_one();
    assert_eq!(first.await.unwrap(), "done");
    assert_eq!(contract.in_flight.count(), 0);
    assert_eq!(
        contract.answer(request("GET", "/_/ready", &[])).await.status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_request_counts_until_its_body_has_been_sent() {
    let contract = contract(&[("max_inflight", "1")], hello());
    let response = contract.answer(request("GET", "/", &[])).await;
    assert_eq!(contract.in_flight.count(), 1);
    drop(response);
    assert_eq!(contract.in_flight.count(), 0);
}

#[tokio::test]
async fn ready_path_asks_the_function() {
    let ready = contract(&[("ready_path", "/ready")], waiting(Arc::default()));
    let response = ready.answer(request("GET", "/_/ready", &[])).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert_eq!(text(response).await, "warm");

    let missing = contract(&[("ready_path", "/nothing")], hello());
    assert_eq!(
        missing.answer(request("GET", "/_/ready", &[])).await.status(),
        StatusCode::NOT_FOUND
    );
}

#[tokio::test(start_paused = true)]
async fn ready_path_is_bounded_too() {
    let contract = contract(&[("ready_path", "/"), ("exec_timeout", "1s")], waiting(Arc::default()));
    let response = contract.answer(request("GET", "/_/ready", &[])).await;
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn over_exec_timeout_is_504_and_the_function_is_dropped() {
    let contract = contract(&[("exec_timeout", "2s")], waiting(Arc::default()));
    let response = contract.answer(request("GET", "/", &[])).await;
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(response.headers()[&INTERNAL], "openfaas-runtime");
    assert!(response.headers().contains_key(&DURATION));
    assert!(text(response).await.starts_with("the function did not answer within "));
    assert_eq!(contract.in_flight.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn x_timeout_lowers_the_limit_but_does_not_raise_it() {
    let contract = contract(&[("exec_timeout", "10s")], waiting(Arc::default()));
    for (header, expected) in [("1s", 1), ("1h", 10), ("nonsense", 10)] {
        let start = tokio::time::Instant::now();
        let response = contract.answer(request("GET", "/", &[("x-timeout", header)])).await;
        assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
        assert_eq!(start.elapsed().as_secs(), expected, "{header}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_still_streaming_at_exec_timeout_is_cut_off() {
    let endless = || async { Body::new(http_body_util::Channel::<Bytes>::new(1).1) };
    // The channel's sender must live, or the stream ends by itself.
    let (sender, channel) = http_body_util::Channel::<Bytes>::new(1);
    let channel = Arc::new(std::sync::Mutex::new(Some(channel)));
    let router = Router::new()
        .route(
            "/",
            get(move || async move { Body::new(channel.lock().unwrap().take().unwrap()) }),
        )
        .route("/ended", get(endless));
    let contract = contract(&[("exec_timeout", "3s")], router);
    let response = contract.answer(request("GET", "/", &[])).await;
    assert_eq!(response.status(), StatusCode::OK);
    let error = response.into_body().collect().await.unwrap_err();
    assert!(error.to_string().contains("exec_timeout"), "{error}");
    assert_eq!(contract.in_flight.count(), 0);
    drop(sender);
    assert!(
        contract
            .answer(request("GET", "/ended", &[]))
            .await
            .into_body()
            .collect()
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_panic_fails_one_request() {
    let router = hello().route(
        "/panic",
        get(|| async {
            if true {
                panic!("on purpose")
            }
        }),
    );
    let contract = contract(&[], router);
    let response = contract.answer(request("GET", "/panic", &[])).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(response.headers()[&INTERNAL], "openfaas-runtime");
    drop(response);
    assert_eq!(text(contract.answer(request("GET", "/", &[])).await).await, "hello");
    assert_eq!(contract.in_flight.count(), 0);
}

#[tokio::test]
async fn metrics_count_what_was_answered_and_what_was_abandoned() {
    let contract = Arc::new(contract(
        &[],
        waiting(Arc::default()).route("/now", post(|| async { "now" })),
    ));
    drop(contract.answer(request("POST", "/now", &[])).await);
    drop(contract.answer(request("GET", "/now", &[])).await);
    drop(contract.answer(request("GET", "/_/health", &[])).await);
    let abandoned = contract.answer(request("GET", "/", &[]));
    assert!(tokio::time::timeout(Duration::ZERO, abandoned).await.is_err());
    let metrics = contract.observers.metrics.text(0);
    let totals: Vec<_> = metrics
        .lines()
        .filter(|line| line.starts_with("http_requests_total"))
        .collect();
    assert_eq!(
        totals,
        [
            r#"http_requests_total{code="405",method="get"} 1"#,
            r#"http_requests_total{code="499",method="get"} 1"#,
            r#"http_requests_total{code="200",method="post"} 1"#,
        ]
    );
}

#[tokio::test]
async fn a_duration_set_by_the_function_stands() {
    let router = Router::new().route("/", get(|| async { [(DURATION.clone(), "1.5")] }));
    let response = contract(&[], router).answer(request("GET", "/", &[])).await;
    assert_eq!(
        response.headers().get_all(&DURATION).iter().collect::<Vec<_>>(),
        ["1.5"]
    );
}

#[tokio::test]
async fn a_function_that_is_given_up_does_not_run_on() {
    struct Gone(Option<oneshot::Sender<()>>);
    impl Drop for Gone {
        fn drop(&mut self) {
            let _ = self.0.take().map(|sender| sender.send(()));
        }
    }
    let (sender, gone) = oneshot::channel();
    let guard = Arc::new(std::sync::Mutex::new(Some(Gone(Some(sender)))));
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let router = Router::new().route(
        "/",
        get(move || async move {
            let _guard = guard.lock().unwrap().take();
            counted.fetch_add(1, Ordering::Relaxed);
            std::future::pending::<()>().await;
        }),
    );
    let contract = contract(&[], router);
    drop(contract.answer(request("GET", "/", &[("x-timeout", "1ms")])).await);
    gone.await.unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}
