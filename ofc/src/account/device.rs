//! Signing in from a command line: a code that somebody confirms in a browser (RFC 8628).

use std::time::Duration;

use secrecy::SecretString;

use super::service::{Begun, Polled, Service};
use crate::report::Trouble;

/// How much longer the pauses get for who asks too often, in seconds.
const SLOWER: u64 = 5;

/// Begins a login, shows it, and waits until it is confirmed. `show` gets the address to open and the code.
///
/// # Errors
/// When it is refused, or nobody confirms it in time.
pub(crate) async fn sign_in<P: Future<Output = ()>>(
    service: &Service,
    name: &str,
    scopes: &[String],
    show: impl FnOnce(&str, &str) -> anyhow::Result<()>,
    pause: impl Fn(Duration) -> P,
) -> anyhow::Result<SecretString> {
    let begun = service.begin(name, scopes).await?;
    show(&plain(&begun.verification_uri_complete), &plain(&begun.user_code))?;
    wait(service, &begun, pause).await
}

async fn wait<P: Future<Output = ()>>(
    service: &Service,
    begun: &Begun,
    pause: impl Fn(Duration) -> P,
) -> anyhow::Result<SecretString> {
    let (mut interval, mut waited) = (begun.interval.max(1), 0);
    while waited <= begun.expires_in {
        pause(Duration::from_secs(interval)).await;
        waited += interval;
        match service.poll(begun).await? {
            Polled::Token(token) => return Ok(token),
            Polled::Pending => {}
            Polled::SlowDown => interval += SLOWER,
            Polled::Denied(why) => {
                return Err(Trouble::new("the login was turned away").hint(plain(&why)).into());
            }
            Polled::Expired => break,
        }
    }
    Err(Trouble::new("nobody confirmed the login in time").hint("try again with `ofc login`").into())
}

/// Nothing that somebody else says does anything to the terminal.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::Json;
    use axum::routing::post;
    use secrecy::ExposeSecret;
    use serde_json::{Value, json};
    use tokio::net::TcpListener;

    use super::*;

    type Answer = (u16, Value);

    fn no(error: &str) -> Answer {
        (400, json!({ "error": error, "error_description": "because \u{1b}[31mso" }))
    }

    /// An of-auth that answers so, one after the other; and the login's end with its pauses.
    async fn login(answers: Vec<Answer>) -> (anyhow::Result<SecretString>, Vec<u64>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let answers = Arc::new(Mutex::new(answers.into_iter()));
        let begun = json!({ "device_code": "d", "user_code": "ABCD-EFGH", "verification_uri": "http://a/device",
            "verification_uri_complete": "http://a/device?user_code=ABCD-EFGH", "interval": 5, "expires_in": 30 });
        let begin = async move |Json(wish): Json<Value>| {
            assert_eq!(wish, json!({ "name": "ofc on x", "scopes": ["invoke"] }));
            Json(begun)
        };
        let poll = async move |Json(question): Json<Value>| {
            assert_eq!(question, json!({ "device_code": "d" }));
            let (status, body) = answers.lock().unwrap().next().unwrap_or(no("authorization_pending"));
            (axum::http::StatusCode::from_u16(status).unwrap(), Json(body))
        };
        let app = axum::Router::new().route("/api/device", post(begin)).route("/api/device/token", post(poll));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let service = Service::at(&format!("http://localhost:{port}")).unwrap();
        let pauses = Mutex::new(Vec::new());
        let shown = |address: &str, code: &str| {
            assert_eq!((address, code), ("http://a/device?user_code=ABCD-EFGH", "ABCD-EFGH"));
            Ok(())
        };
        let pause = |time: Duration| {
            pauses.lock().unwrap().push(time.as_secs());
            std::future::ready(())
        };
        let ended = sign_in(&service, "ofc on x", &["invoke".to_owned()], shown, pause).await;
        (ended, pauses.into_inner().unwrap())
    }

    #[tokio::test]
    async fn it_waits_for_a_yes_and_asks_as_often_as_it_may() {
        let yes = (200, json!({ "access_token": "ofct_x", "token_type": "bearer" }));
        let (ended, pauses) = login(vec![no("authorization_pending"), no("slow_down"), yes]).await;
        assert_eq!(ended.unwrap().expose_secret(), "ofct_x");
        assert_eq!(pauses, [5, 5, 10]);
    }

    #[tokio::test]
    async fn anything_else_ends_it_without_a_token() {
        let end = async |answers| crate::report::render(&login(answers).await.0.unwrap_err());
        let denied = end(vec![no("access_denied")]).await;
        assert!(denied.contains("turned away") && denied.contains("because [31mso"), "{denied}");
        assert!(end(vec![no("expired_token")]).await.contains("in time"));
        assert!(end(vec![]).await.contains("in time"), "the server never says so itself");
        assert!(end(vec![(200, json!({}))]).await.contains("of this release"));
        assert!(
            end(vec![(503, json!({ "error_description": "later" , "error": "x" }))]).await.contains("refuses: later")
        );
        assert!(end(vec![(500, json!("x"))]).await.contains("it answers 500"));
    }
}
