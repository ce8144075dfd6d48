//! Live pages over HTTP: how many there are at most, readers that do not read, and what becomes of them when it is not proven any
//! more who reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{once, pending, repeat_with};
use http::{Response, StatusCode};
use sdk::identity::Identity;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::setup::{Dashboard, SHA, alice, read, request};

const DEADLINE: Duration = Duration::from_secs(30);
const HOUR: Duration = Duration::from_secs(3600);

fn live() -> String {
    format!("/alice/cart/build-log/live?repoPath=alice/shop&commitSHA={SHA}")
}

/// Serves until the test ends.
async fn serve(dashboard: &Dashboard) -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, router) = (listener.local_addr().unwrap(), dashboard.router.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// A browser that asked, and read the status; it reads no more by itself.
async fn ask(address: std::net::SocketAddr, who: &Identity, path: &str, lifetime: Duration) -> (u16, TcpStream) {
    let asked = request("GET", path, who, lifetime, Body::empty());
    let headers = asked.headers().iter().map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap()));
    let text = format!("GET {path} HTTP/1.1\r\n{}\r\n", headers.collect::<String>());
    let mut browser = TcpStream::connect(address).await.unwrap();
    browser.write_all(text.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    browser.read_exact(&mut status).await.unwrap();
    (String::from_utf8_lossy(&status[9..]).parse().unwrap(), browser)
}

async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let (until, mut looks) = (Instant::now() + DEADLINE, tokio::time::interval(Duration::from_millis(20)));
    while !is_so().await {
        assert!(Instant::now() < until, "not so after a long time: {what}");
        looks.tick().await;
    }
}

/// A log that has a line and never ends.
fn begin_a_log(dashboard: &Dashboard) {
    dashboard.fake.respond_with("pipeline-log/follow", |_| {
        let first = once(async { Ok::<_, std::io::Error>("hush\n") });
        Response::new(Body::from_stream(first.chain(pending())))
    });
}

#[tokio::test]
async fn one_person_has_twenty_live_pages_and_all_together_have_as_many_as_the_operator_says() {
    let dashboard = Dashboard::with(&[("dashboard_streams", "30")]).await;
    begin_a_log(&dashboard);
    let address = serve(&dashboard).await;
    // Another person who belongs to alice's, too.
    let orgs = json!([{"id": 7, "login": "alice", "role": "viewer"}]);
    let bob: Identity = read(json!({"host": "git.localhost", "id": 17, "login": "bob", "organisations": orgs}));
    let mut open = Vec::new();
    for (who, places) in [(alice(), 20), (bob.clone(), 10)] {
        for place in 0..places {
            let (status, browser) = ask(address, &who, &live(), HOUR).await;
            assert_eq!(status, 200, "{} has place {place}", who.login);
            open.push(browser);
        }
        let (status, mut browser) = ask(address, &who, &live(), HOUR).await;
        let mut text = vec![0; 4096];
        let length = browser.read(&mut text).await.unwrap();
        let text = String::from_utf8_lossy(&text[..length]).into_owned();
        assert!(status == 429 && text.contains("Too many pages are live"), "{}: {text}", who.login);
    }
    // Pages that are not live are there for everybody, and who leaves gives a place back.
    assert_eq!(dashboard.get("/alice/cart").await.status, StatusCode::OK);
    drop(open.remove(0));
    eventually("a place is free again", async || {
        let (status, browser) = ask(address, &bob, &live(), HOUR).await;
        open.push(browser);
        status == 200
    })
    .await;
}

/// Counts what is taken of a log without end, and says when nobody takes any more.
struct Endless {
    taken: Arc<AtomicUsize>,
    readers: Arc<()>,
}

impl Endless {
    fn at(dashboard: &Dashboard, part: &str, line: &str) -> Self {
        let endless = Self { taken: Arc::default(), readers: Arc::default() };
        let (taken, readers) = (Arc::clone(&endless.taken), Arc::clone(&endless.readers));
        let chunk = Bytes::from(line.repeat(64 * 1024 / line.len()));
        dashboard.fake.respond_with(part, move |_| {
            let (taken, reader, chunk) = (Arc::clone(&taken), Arc::clone(&readers), chunk.clone());
            Response::new(Body::from_stream(repeat_with(move || {
                let _reads = &reader;
                taken.fetch_add(chunk.len(), Ordering::Relaxed);
                Ok::<_, std::io::Error>(chunk.clone())
            })))
        });
        endless
    }

    /// Waits until no more is taken for a while; says how much it was.
    async fn rests(&self) -> usize {
        let (mut before, mut same) = (0, 0);
        eventually("nothing more is read for who does not read", async || {
            let now = self.taken.load(Ordering::Relaxed);
            same = if now == before { same + 1 } else { 0 };
            before = now;
            now > 0 && same > 25
        })
        .await;
        before
    }

    /// Waits until its last reader left; the answer itself holds one.
    async fn is_left(&self) {
        eventually("the log is left", async || Arc::strong_count(&self.readers) == 2).await;
    }
}

#[tokio::test]
async fn who_does_not_read_fills_no_memory_and_keeps_no_place_beyond_his_time() {
    let dashboard = Dashboard::with(&[("dashboard_streams", "2")]).await;
    let line = json!({"at": 1_790_000_000_000_u64, "instance": "a", "text": "x".repeat(100)}).to_string() + "\n";
    let logs = [
        ("pipeline-log/follow", "\u{1b}[31mred\u{1b}[32mgreen\n".to_owned(), live()),
        ("pipeline-log/follow", "\n".to_owned(), live()),
        ("function-logs/follow", line, "/alice/cart/logs/live?since=5".to_owned()),
    ];
    let address = serve(&dashboard).await;
    for (part, line, path) in logs {
        let endless = Endless::at(&dashboard, part, &line);
        let (status, reader) = ask(address, &alice(), &path, HOUR).await;
        assert_eq!(status, 200);
        let taken = endless.rests().await;
        println!("{part}: {taken} bytes are read for who does not read");
        // Most of it is in sockets, of which there are three.
        assert!(taken < 24 * 1024 * 1024, "{taken}");
        drop(reader);
        endless.is_left().await;
        // Who stays and does not read is left when his time is over.
        let (status, _reader) = ask(address, &alice(), &path, Duration::from_secs(2)).await;
        assert_eq!(status, 200);
        endless.is_left().await;
    }
}

#[tokio::test]
async fn when_the_session_is_over_a_live_page_ends_and_asks_in_vain() {
    let dashboard = Dashboard::start().await;
    begin_a_log(&dashboard);
    let line = json!({"at": 1_790_000_000_000_u64, "instance": "a", "text": "hush"}).to_string() + "\n";
    dashboard.fake.respond_with("function-logs/follow", move |_| {
        let line = line.clone();
        Response::new(Body::from_stream(once(async { Ok::<_, std::io::Error>(line) }).chain(pending())))
    });
    for path in [live(), "/alice/cart/logs/live?since=5".to_owned()] {
        let began = Instant::now();
        let seen = dashboard.page(request("GET", &path, &alice(), Duration::from_secs(2), Body::empty())).await;
        assert!(began.elapsed() < Duration::from_secs(10), "it ends with the proof of who reads");
        assert!(seen.text.contains("hush") && seen.text.contains("retry: 500") && !seen.text.contains("event: end"));
        // By itself, the browser asks again where it was. Nobody is signed in any more, so the router says nothing.
        let mut again = http::Request::get(&path).body(Body::empty()).unwrap();
        again.headers_mut().insert("last-event-id", "5".parse().unwrap());
        let refused = dashboard.page(again).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{path}");
        assert!(!refused.text.contains("hush"));
    }
}

#[tokio::test]
async fn who_is_thrown_out_of_an_organisation_reads_on_only_until_he_has_to_be_proven_anew() {
    let dashboard = Dashboard::start().await;
    dashboard.put("acme-cart", 9);
    let mut cart = dashboard.fake.function("acme-cart").unwrap();
    cart.labels.insert("com.openfaas.cloud.git-owner".to_owned(), "acme".to_owned());
    dashboard.fake.put_function(cart);
    dashboard.says("pipeline-log/history", json!([]));
    begin_a_log(&dashboard);
    let build = format!("/acme/cart/build-log/live?repoPath=acme/shop&commitSHA={SHA}");
    let followed = || dashboard.fake.messages("pipeline-log/follow").len();
    let member = alice();
    let seen = dashboard.page(request("GET", &build, &member, Duration::from_secs(2), Body::empty())).await;
    assert!(seen.status == StatusCode::OK && seen.text.contains("hush") && followed() == 1);
    // The next time the router knows of it.
    let alone = Identity { organisations: Vec::new(), ..member.clone() };
    let refused = dashboard.page(request("GET", &build, &alone, HOUR, Body::empty())).await;
    assert!(refused.status == StatusCode::NOT_FOUND && followed() == 1, "{}", refused.status);
    // A member goes on where the page was.
    let mut again = request("GET", &build, &member, Duration::from_secs(1), Body::empty());
    again.headers_mut().insert("last-event-id", "5".parse().unwrap());
    assert_eq!(dashboard.page(again).await.status, StatusCode::OK);
    let asked: Value = dashboard.fake.messages("pipeline-log/follow").last().unwrap().read();
    assert_eq!((&asked["from"], &asked["owner"]), (&json!(5), &json!("acme")));
}
