//! Rule 9: no value is ever printed or logged, sealed or not.

use std::sync::{Arc, Mutex};

use http::StatusCode;

use crate::setup::{NAMESPACE, Stage, document, foreign_key, own_key, push, sealed, sealed_to};

/// All that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

const VALUE: &str = "hunter2-is-not-a-good-password";

#[tokio::test]
async fn no_value_is_in_any_answer_log_trail_or_record() {
    let log = Log::default();
    let writer = log.clone();
    let to_log = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone());
    // The one test that looks at what all threads log.
    to_log.init();
    let stage = Stage::start().await;
    let event = push("alice", "secrets");
    let mut said = Vec::new();
    let sealed_value = sealed_secrets::seal(own_key().certificate(), NAMESPACE, "alice-db", VALUE.as_bytes()).unwrap();
    let good = document(NAMESPACE, "alice-db", &[("password", sealed_value.clone())]);
    // A gateway that repeats what it was sent, as its last word, in between, and while it is undone.
    stage.gateway.refuse_next("POST /system/secrets", StatusCode::BAD_REQUEST, VALUE);
    said.push(stage.refused(&event, &good).await.1);
    stage.gateway.refuse_next("POST /system/secrets", StatusCode::INTERNAL_SERVER_ERROR, VALUE);
    stage.gateway.refuse_next("DELETE /system/secrets", StatusCode::BAD_GATEWAY, VALUE);
    said.push(stage.refused(&event, &good).await.1);
    assert!(said[1].contains("could not be put back"), "{}", said[1]);
    said.push(serde_json::to_string(&stage.import(&event, Some(&good), &["db"]).await).unwrap());
    let foreign = sealed_to(foreign_key().certificate(), NAMESPACE, "alice-db", &[("password", VALUE)]);
    for bad in [
        foreign.as_str(),
        VALUE,
        &good.replace(&sealed_value, VALUE),
        &good.replace("password", VALUE),
        &format!("{VALUE}: ["),
    ] {
        let (_, text) = stage.ask(&crate::setup::import(&event, Some(bad), &[])).await;
        said.push(text);
    }
    said.push(serde_json::to_string(&stage.look(&event, &["db"]).await).unwrap());
    stage.import(&event, Some(&sealed("alice-db", &[("password", "another")])), &[]).await;
    stage.import(&event, None, &[]).await;
    said.push(serde_json::to_string(&stage.prune(&event).await).unwrap());
    said.extend(stage.trail());
    said.push(stage.record(event.owner_id).to_string());
    said.push(String::from_utf8(log.0.lock().unwrap().clone()).unwrap());
    assert!(said.last().unwrap().contains("secrets made: db (1 key)"), "the log is the function's");
    for text in said {
        // A key's name is not secret.
        let text = text.replace(&format!("the key {VALUE}"), "");
        assert!(!text.contains(VALUE), "{text}");
        assert!(!text.contains(&sealed_value[10..60]), "{text}");
    }
}
