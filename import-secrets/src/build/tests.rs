use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use sdk::Env;

use super::*;

/// Made by the real `faas-cli secret keygen`.
const PRIVATE: &str = "Px7hyZSojPu4ZVmjTJynIfLrKZ8afASgJqL7leTAFUE=";
const PUBLIC: &str = "elZ06m5w6Xg03qRiXr7lga91gbN38vXOZuhqUk04ghI=";
const NO_SECRETS: [(&str, &str); 0] = [];

fn values(pairs: &[(&str, &[u8])]) -> BTreeMap<String, Value> {
    pairs.iter().map(|(id, value)| ((*id).to_owned(), value.to_vec().into())).collect()
}

/// What the builder opens of one line.
fn opened(file: &str, id: &str) -> Vec<u8> {
    let after = |head: &str| file.lines().find_map(|line| line.strip_prefix(head)).unwrap();
    let bytes = |text: &str| STANDARD.decode(text).unwrap();
    let key = SecretKey::from_slice(&bytes(PRIVATE)).unwrap();
    let sender = PublicKey::from_slice(&bytes(after("public_key: "))).unwrap();
    let sealed = bytes(after(&format!("    \"{id}\": ")));
    SalsaBox::new(&sender, &key).decrypt(sealed[..24].into(), &sealed[24..]).unwrap()
}

fn read(vars: &[(&str, &str)]) -> Result<BuilderKey, String> {
    let env = Env::from_map(vars.iter().copied(), NO_SECRETS);
    let r = env.reader();
    let key = BuilderKey::read(&r);
    r.finish().map_err(|error| error.to_string())?;
    Ok(key.ok().unwrap())
}

/// A builder's answer to `GET /publickey`.
async fn asked(app: Router) -> Result<PublicKey, Problem> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    read(&[("builder_url", &url)]).unwrap().get().await
}

async fn answered(status: StatusCode, text: String) -> Result<PublicKey, Problem> {
    asked(Router::new().route("/publickey", get(move || async move { (status, text) }))).await
}

#[test]
fn the_builder_opens_what_was_sealed_and_nobody_sees_it() {
    let secrets: [(&str, &[u8]); 3] = [("npm_token", b"npm_s3cr3t"), ("1.key", b"\xff\0"), ("null", b"")];
    let file = seal(&values(&secrets), &public_key(PUBLIC).unwrap()).unwrap();
    for (id, value) in secrets {
        assert_eq!(opened(&file, id), value);
    }
    assert!(file.starts_with("version: v1\nalgorithm: nacl/box\nkey_id: elZ06m5w\npublic_key: "), "{file}");
    assert!(!file.contains("s3cr3t") && !file.contains(&STANDARD.encode("npm_s3cr3t")));
}

#[test]
fn nothing_is_sealed_twice_alike() {
    let file = || seal(&values(&[("a", b"value"), ("b", b"value")]), &public_key(PUBLIC).unwrap()).unwrap();
    let (one, two) = (file(), file());
    let lines: std::collections::BTreeSet<&str> =
        one.lines().chain(two.lines()).filter_map(|line| line.split_once("\": ").map(|(_, sealed)| sealed)).collect();
    assert_eq!(lines.len(), 4);
}

#[test]
fn a_file_that_no_builder_takes_is_refused() {
    let error = seal(&values(&[("a", &[0; MAX_FILE_BYTES])]), &public_key(PUBLIC).unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "the secrets of one build may have 262144 bytes when they are sealed");
    assert_eq!(error.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[test]
fn ids_cannot_write_into_the_file() {
    for id in ["", "a\"b", "a\nb", "a: b", "a b", "é", &"x".repeat(65)] {
        assert!(!is_id(id), "{id}");
    }
    assert!(is_id("npm_token") && is_id("ca.crt") && is_id("_x-1"));
}

#[test]
fn a_key_that_is_given_is_believed_and_one_that_is_none_refused() {
    assert!(matches!(read(&[("builder_public_key", PUBLIC), ("builder_url", "http://b/")]), Ok(BuilderKey::Given(_))));
    assert!(matches!(read(&[("builder_url", "http://b/")]), Ok(BuilderKey::Asked(_))));
    assert!(matches!(read(&[]), Ok(BuilderKey::None)));
    for text in ["x", "AAAA", "elZ06m5w6Xg03qRiXr7lga91gbN38vXOZuhqUk04ghIA"] {
        let error = read(&[("builder_public_key", text)]).unwrap_err();
        assert!(error.contains("builder_public_key") && error.contains("32 bytes in base64"), "{error}");
    }
}

#[tokio::test]
async fn the_builder_is_asked_for_its_key() {
    let answer = |algorithm: &str| format!(r#"{{"key_id":"x","algorithm":"{algorithm}","public_key":"{PUBLIC}"}}"#);
    assert_eq!(answered(StatusCode::OK, answer("nacl/box")).await.unwrap(), public_key(PUBLIC).unwrap());
    assert_eq!(answered(StatusCode::OK, answer("")).await.unwrap(), public_key(PUBLIC).unwrap());
    for bad in [answer("rsa"), "{}".to_owned(), "x".repeat(10_000), r#"{"public_key":"AAAA"}"#.to_owned()] {
        assert!(answered(StatusCode::OK, bad).await.unwrap_err().may_pass());
    }
}

#[tokio::test]
async fn a_builder_without_a_key_is_told_from_one_that_is_away() {
    for status in [StatusCode::NOT_IMPLEMENTED, StatusCode::NOT_FOUND] {
        let error = answered(status, String::new()).await.unwrap_err();
        assert!(!error.may_pass());
        insta::allow_duplicates! {
            insta::assert_snapshot!(error, @"this platform's builder takes no secrets: its operator gives it a builder-private-key");
        }
    }
    assert!(answered(StatusCode::BAD_GATEWAY, String::new()).await.unwrap_err().may_pass());
    let away = read(&[("builder_url", "http://127.0.0.1:1/")]).unwrap().get().await.unwrap_err();
    assert!(away.may_pass());
    insta::assert_snapshot!(away, @"the builder does not say for which key secrets are to be sealed");
    assert!(!BuilderKey::None.get().await.unwrap_err().may_pass());
}

#[tokio::test]
async fn the_key_is_not_taken_from_where_somebody_points_to() {
    let app = Router::new()
        .route("/publickey", get(|| async { Redirect::temporary("/elsewhere") }))
        .route("/elsewhere", get(|| async { format!(r#"{{"public_key":"{PUBLIC}"}}"#) }));
    assert!(asked(app).await.unwrap_err().may_pass());
}
