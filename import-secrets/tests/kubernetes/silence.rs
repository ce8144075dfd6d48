//! Rule 9 in a cluster: no value is in a log or an answer, sealed or not, whatever the cluster says.

use std::io::Write;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use sealed_secrets::seal;

use crate::setup::{NAMESPACE, document, own_key, push};
use crate::stage::InCluster;

const VALUE: &str = "hunter2-is-not-a-good-password";

/// All that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_value_is_in_any_answer_or_log() {
    let log = Log::default();
    let writer = log.clone();
    // The one test of this program that looks at what all threads log.
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).init();
    let stage = InCluster::with(&[("sync_timeout", "200ms")]).await;
    let event = push("alice", "secrets");
    let sealed = seal(own_key().certificate(), NAMESPACE, "alice-db", VALUE.as_bytes()).unwrap();
    let file = document(NAMESPACE, "alice-db", &[("k", sealed.clone())]);
    let mut said = Vec::new();
    // A cluster that repeats what it was sent.
    for status in [400, 409, 422, 500] {
        stage.cluster.refuse(Method::POST, 0, 8, status);
        said.push(stage.refused(&event, &file).await.1);
        stage.cluster.state().faults.clear();
    }
    // And one whose answer is not understood, with the value in it.
    stage.cluster.state().garbles = true;
    said.push(stage.refused(&event, &file).await.1);
    stage.cluster.state().garbles = false;
    let known = stage.import(&event, Some(&file), &["db"]).await;
    said.push(serde_json::to_string(&known).unwrap());
    stage.import(&event, None, &[]).await;
    stage.prune(&event).await;
    said.push(stage.record(event.owner_id).to_string());
    said.extend(stage.trail());
    said.push(String::from_utf8(log.0.lock().unwrap().clone()).unwrap());
    assert!(said.last().unwrap().contains("secrets made: db (1 key)"), "the log is the function's");
    for text in said {
        assert!(!text.contains(VALUE) && !text.contains(&STANDARD.encode(VALUE)), "{text}");
        assert!(!text.contains(&sealed[10..60]), "{text}");
    }
}
