//! A whole login, and nothing secret in the log of it. A program of its own, because the log is the process's.

#![expect(clippy::unwrap_used, reason = "test helper")]

mod support;

use std::io::Write;
use std::sync::{Arc, Mutex};

use http::Method;
use serde_json::json;
use support::{AUTH_HOST, ISSUER, PAYLOAD_SECRET, Service, provider};
use tracing_subscriber::EnvFilter;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn s43_nothing_secret_is_in_the_log_of_a_whole_login() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("trace"))
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let service = Service::start().await;
    service.provider.is_used_by("alice");
    let mut browser = service.browser();
    browser.follow("https://alice.example.com/.ofc/login?to=%2Fprivate").await;
    let token = service.api_token(&mut browser, &["read", "write"]).await;
    service.api(Method::GET, "/api/me", Some(&token), None).await;
    service.ask(AUTH_HOST, &token).await.unwrap();
    let begun = service.api(Method::POST, "/api/device", None, Some(json!({"name": "x", "scopes": ["read"]}))).await.1;
    let (device, user) = (begun["device_code"].as_str().unwrap(), begun["user_code"].as_str().unwrap());
    browser.post(&format!("{ISSUER}/device"), &[("user_code", user), ("decision", "grant")]).await;
    let given = service.api(Method::POST, "/api/device/token", None, Some(json!({"device_code": device}))).await.1;
    let mut secrets = service.provider.secrets();
    secrets.extend([PAYLOAD_SECRET, provider::CLIENT_SECRET, device, &token].map(str::to_owned));
    secrets.push(given["access_token"].as_str().unwrap().to_owned());
    for host in [AUTH_HOST, "alice.example.com"] {
        for cookie in ["session", "login", "state"] {
            secrets.extend(browser.cookie(host, &format!("__Host-ofc_{cookie}")));
        }
    }
    for url in &browser.visited {
        let ticket = url.query_pairs().find(|(name, _)| name == "ticket");
        secrets.extend(ticket.map(|(_, value)| value.into_owned()));
    }
    // Refusals are logged too.
    let used = browser.visited.clone();
    for url in
        used.iter().filter(|url| url.query().is_some_and(|query| query.contains("ticket=") || query.contains("code=")))
    {
        assert!(browser.get(url.as_str()).await.status >= 400);
    }
    assert!(browser.post(&format!("{ISSUER}/logout"), &[]).await.status == 200);
    service.trail.has("Signed out.").await;
    assert!(secrets.len() >= 14, "{}", secrets.len());
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("Signed in by GitHub") && text.contains("/oauth2/authorized"), "the log is there");
    for secret in secrets {
        let line = text.lines().find(|line| line.contains(&secret));
        assert_eq!(line, None, "{secret} is in the log");
    }
}
