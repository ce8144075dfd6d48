//! What the log gets to know of a login.

use std::io::Write;
use std::sync::{Arc, Mutex};

use secrecy::ExposeSecret;
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use super::fake::Fake;
use super::*;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// S43, and S10: the original wrote client secrets, codes and tokens into its log.
#[tokio::test]
async fn s43_no_secret_of_a_login_gets_into_the_log() {
    let lines = Lines::default();
    let everything =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(lines.clone()).finish();
    let _guard = tracing::subscriber::set_default(everything);
    let fake = Fake::start(json!({"id": 42, "login": "alice"}), vec![]).await;
    let provider = provider(&[("oauth_provider_base_url", fake.url.as_str())]);
    let (page, pending) = provider.begin(&redirect_uri()).await.unwrap();
    let (code, _) = consent(page).await;
    let person = provider.finish(&pending, &code, &redirect_uri()).await.unwrap();
    let error = provider.finish(&pending, &code, &redirect_uri()).await.unwrap_err();
    tracing::info!(?person, ?pending, ?provider, ?error, %error, "seen");
    fake.world().user = json!({"id": "gho_secret0"});
    let error = sign_in(&provider).await.unwrap_err();
    tracing::info!(?error, %error, "seen");

    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("seen") && log.contains("alice"), "{log}");
    let tokens = fake.world().tokens.clone();
    assert_eq!(tokens.len(), 2);
    let secrets = tokens.iter().map(String::as_str);
    for secret in secrets.chain([CLIENT_SECRET, pending.verifier.expose_secret()]) {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
}
