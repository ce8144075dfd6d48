use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use tokio::net::TcpListener;

use super::*;

/// A certificate of 2,048 bits that is good from November 2026 to November 2036.
const PEM: &str = include_str!("../../../../sealed-secrets/tests/upstream/second.pem");

fn public() -> &'static str {
    &PEM[PEM.find("-----BEGIN CERTIFICATE").unwrap()..]
}

async fn stage(routes: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    format!("http://system.localhost:{port}")
}

fn shown<T: std::fmt::Debug>(result: anyhow::Result<T>) -> String {
    crate::report::render(&result.unwrap_err())
}

#[tokio::test]
async fn an_address_is_asked_at_its_usual_place_or_as_it_is() {
    let routes = Router::new().route(PATH, get(|| async { public() })).route("/other", get(|| async { public() }));
    let origin = stage(routes).await;
    for path in ["", "/", PATH, "/other"] {
        let target = of_url(&format!("{origin}{path}")).await.unwrap();
        assert_eq!(target.stage, origin);
        assert_eq!(target.certificate, Certificate::from_pem(PEM).unwrap());
    }
}

#[tokio::test]
async fn whatever_is_no_certificate_is_refused() {
    let endless = || async { "x".repeat(LONGEST + 1) };
    let routes = Router::new()
        .route("/html", get(|| async { "<html>" }))
        .route("/endless", get(endless))
        .route("/moved", get(|| async { Redirect::temporary("/html") }));
    let origin = stage(routes).await;
    let refused = async |path: &str| shown(of_url(&format!("{origin}{path}")).await);
    assert!(refused("/html").await.contains("there is no certificate in it"));
    assert!(refused("/endless").await.contains("too long"));
    assert!(refused("/moved").await.contains("it answers 307"));
    assert!(refused("").await.contains("it answers 404"));
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert!(shown(of_url(&format!("http://{closed}")).await).contains("does not give its certificate"));
}

#[test]
fn nobody_in_between_may_answer() {
    for wrong in ["http://example.com", "http://localhost.evil.com", "ftp://localhost", "http://10.0.0.1", "https://"] {
        assert!(checked(wrong).is_err(), "{wrong}");
    }
    assert!(!shown(checked("https://alice:hunter2@example.com")).contains("hunter2"));
    for right in ["https://example.com", "http://127.0.0.1:8080", "http://[::1]:80", "http://system.localhost:8000"] {
        assert_eq!(checked(right).unwrap().0.path(), PATH, "{right}");
    }
    assert!(checked("http://system.localhost:8000").unwrap().1.is_some());
    assert!(checked("https://system.example.com").unwrap().1.is_none());
}

#[test]
fn a_certificate_has_its_time() {
    let target = parse(public(), "prod".to_owned()).unwrap();
    let day = |year: i32| format!("{year}-12-01T00:00:00Z").parse::<DateTime<Utc>>().unwrap();
    assert!(check(&target, day(2027)).is_ok());
    insta::assert_snapshot!(shown(check(&target, day(2036))), @r"
    nothing can be sealed to the certificate of prod
      caused by: the certificate expired on 2036-11-27 00:19 UTC: get the stage's present one
      hint: the stage's present one is at https://system.<domain>/v1/cert.pem
    ");
    assert!(shown(check(&target, day(2025))).contains("is this machine's clock right?"));
}

#[tokio::test]
async fn a_file_is_named_and_the_old_one_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = Which { data: Some(folder.path().join("none")) };
    let refused = shown(find(None, &nowhere, folder.path()).await);
    assert!(refused.contains("no platform runs"), "{refused}");
    let old = folder.path().join(OLD_FILE);
    std::fs::write(&old, public()).unwrap();
    assert_eq!(of_file(&old).unwrap().stage, "pub-cert.pem");
    let missing = shown(of_file(Path::new("/nowhere/x.pem")));
    assert!(missing.starts_with("the certificate /nowhere/x.pem cannot be read"), "{missing}");
    std::fs::write(&old, include_str!("../../../../sealed-secrets/tests/upstream/short.pem")).unwrap();
    assert!(shown(of_file(&old)).contains("1024 bits"));
}
