//! A tenant list at an address.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use sdk::customers::Admission;
use sdk::id::OwnerId;
use tempfile::TempDir;
use tokio::time::Instant;

use super::*;
use crate::tenants::fetched::{Fetched, KEEP, RETRY};

type Page = Box<dyn Fn() -> Response + Send>;

/// An address that answers what a test wants, and counts how often.
#[derive(Clone)]
struct Site {
    url: String,
    page: Arc<Mutex<(usize, Page)>>,
}

impl Site {
    async fn start(text: &'static str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/customers", listener.local_addr().unwrap());
        let page: Page = Box::new(move || text.into_response());
        let site = Self { url, page: Arc::new(Mutex::new((0, page))) };
        let served = site.clone();
        let app = Router::new().fallback(move || {
            let mut page = served.page.lock().unwrap();
            page.0 += 1;
            std::future::ready((page.1)())
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        site
    }

    fn answer(&self, page: impl Fn() -> Response + Send + 'static) {
        self.page.lock().unwrap().1 = Box::new(page);
    }

    fn asked(&self) -> usize {
        self.page.lock().unwrap().0
    }

    async fn open(&self, folder: &TempDir) -> Result<Tenants, String> {
        super::open(&[("customers_url", &self.url)], folder.path()).await
    }

    async fn fetched(&self, folder: &TempDir) -> Fetched {
        Fetched::start(self.url.parse().unwrap(), folder.path().join("customers")).await.unwrap()
    }
}

fn no_lists() -> Vec<(&'static str, Page)> {
    let html = [(header::CONTENT_TYPE, "text/html")];
    vec![
        ("an error", Box::new(|| (StatusCode::NOT_FOUND, "mallory\n").into_response())),
        ("a server's error", Box::new(|| (StatusCode::BAD_GATEWAY, "mallory\n").into_response())),
        ("a redirect", Box::new(|| (StatusCode::FOUND, [(header::LOCATION, "/x")], "mallory\n").into_response())),
        ("no content", Box::new(|| StatusCode::NO_CONTENT.into_response())),
        ("a page", Box::new(move || (html.clone(), "mallory\n").into_response())),
        ("an error page", Box::new(|| "404: Not Found".into_response())),
        ("a page as text", Box::new(|| "<!doctype html>\nmallory\n".into_response())),
        ("data", Box::new(|| axum::Json(["mallory"]).into_response())),
        ("nothing", Box::new(|| "".into_response())),
        ("remarks alone", Box::new(|| "# mallory\n".into_response())),
        ("bytes", Box::new(|| Body::from(vec![0xff, 0xfe]).into_response())),
        (
            "no end",
            Box::new(|| {
                let chunk = || Ok::<_, std::convert::Infallible>(Bytes::from(vec![b'\n'; 1024 * 1024]));
                Body::from_stream(stream::repeat_with(chunk)).into_response()
            }),
        ),
    ]
}

fn admits(list: &Fetched, login: &str) -> bool {
    let account = OwnerId { host: "github.com".to_owned(), id: 42 };
    list.admits(&login.parse().unwrap(), &account) == Admission::Admitted
}

/// S36: the original took the lines of an error page for logins.
#[tokio::test]
async fn s36_what_is_no_list_is_neither_a_start_nor_a_change() {
    let folder = tempfile::tempdir().unwrap();
    for (what, page) in no_lists() {
        let site = Site::start("").await;
        site.answer(page);
        let error = site.open(&folder).await.unwrap_err();
        assert!(error.contains("customers_url"), "{what}: {error}");
    }
    let site = Site::start("alice\n").await;
    let list = site.fetched(&folder).await;
    let mut now = Instant::now() + KEEP;
    for (what, page) in no_lists() {
        site.answer(page);
        let before = site.asked();
        list.refresh(now).await;
        assert_eq!(site.asked(), before + 1, "{what}");
        let known = |login: &str| admits(&list, login);
        assert!(known("alice") && !known("mallory"), "{what}");
        now += RETRY;
    }
    assert_eq!(std::fs::read_to_string(folder.path().join("customers")).unwrap(), "alice\n");
}

#[tokio::test]
async fn it_is_asked_again_after_a_while_and_sooner_after_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::start("alice\n").await;
    let list = site.fetched(&folder).await;
    let start = Instant::now();
    list.refresh(start).await;
    assert_eq!(site.asked(), 1);
    site.answer(|| StatusCode::BAD_GATEWAY.into_response());
    list.refresh(start + KEEP).await;
    list.refresh(start + KEEP).await;
    assert_eq!(site.asked(), 2);
    site.answer(|| "bob\r\n".into_response());
    list.refresh(start + KEEP + RETRY).await;
    assert_eq!(site.asked(), 3);
    assert!(admits(&list, "bob") && !admits(&list, "alice"));
    assert_eq!(std::fs::read_to_string(folder.path().join("customers")).unwrap(), "bob\r\n");
}

#[tokio::test]
async fn the_last_good_copy_serves_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::start("alice\n").await;
    site.open(&folder).await.unwrap().admit(person(42, "alice")).await.unwrap();
    site.answer(|| StatusCode::BAD_GATEWAY.into_response());
    let tenants = site.open(&folder).await.unwrap();
    tenants.admit(person(42, "alice")).await.unwrap();
    assert!(tenants.admit(person(43, "bob")).await.is_err());
    std::fs::write(folder.path().join("customers"), "<html>").unwrap();
    assert!(site.open(&folder).await.unwrap_err().contains("502"));
}
