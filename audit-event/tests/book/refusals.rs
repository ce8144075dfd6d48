//! Who may not, and what cannot be.

use object_store::test_servers::InProcess;
use sdk::Env;

use crate::client::{Client, event, request};

#[tokio::test]
async fn nothing_is_read_or_kept_without_a_signature_for_just_that() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::new(&[("audit_directory", folder.path().to_str().unwrap())]);
    for wrong in [None, Some("audit-event"), Some("pipeline-log/read"), Some("audit-event/")] {
        assert_eq!(client.send("/read", wrong, &request(7)).await.0, 401, "{wrong:?}");
    }
    assert_eq!(client.send("/", Some("audit-event/read"), &event(7, 1)).await.0, 401);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_store_that_is_down_lets_the_queue_bring_the_event_again() {
    let (folder, file) = (tempfile::tempdir().unwrap(), tempfile::NamedTempFile::new().unwrap());
    let (store, lines) = (folder.path().join("store"), file.path().to_str().unwrap());
    std::fs::write(&store, "in the way").unwrap();
    let client = Client::new(&[("audit_directory", store.to_str().unwrap()), ("audit_file", lines)]);
    let sentence = "the store of the audit trail does not work right now\n";
    assert_eq!(client.send("/", Some("audit-event"), &event(7, 1)).await, (500, sentence.to_owned()));
    assert_eq!(std::fs::read_to_string(lines).unwrap(), "", "or each try would be a line");
    std::fs::remove_file(&store).unwrap();
    client.keep(&event(7, 1)).await;
    assert_eq!(std::fs::read_to_string(lines).unwrap().lines().count(), 1);
    assert_eq!(client.read(&request(7)).await.events, [event(7, 1)]);
}

#[tokio::test]
async fn a_store_that_is_down_is_500_for_who_reads() {
    let (folder, file) = (tempfile::tempdir().unwrap(), tempfile::NamedTempFile::new().unwrap());
    let client = Client::new(&[("audit_directory", folder.path().to_str().unwrap())]);
    std::fs::create_dir_all(folder.path().join("_audit/github.com")).unwrap();
    std::fs::copy(file.path(), folder.path().join("_audit/github.com/7")).unwrap();
    assert_eq!(client.ask(&request(7)).await.0, 500);
    let nowhere = Client::new(&[("audit_store", "s3"), ("s3_url", "127.0.0.1:1")]);
    assert_eq!((nowhere.ask(&request(7)).await.0, nowhere.report(&event(7, 1)).await), (500, 500));
}

#[tokio::test]
async fn keys_that_the_bucket_does_not_take_are_500_without_a_word_about_them() {
    let server = InProcess::start().await;
    let vars = [("audit_store", "s3"), ("s3_url", server.address())];
    let secrets = [("payload-secret", "k"), ("s3-access-key", "access"), ("s3-secret-key", "a wrong one")];
    let client = Client::of(&Env::from_map(vars, secrets), "k");
    let (status, text) = client.ask(&request(7)).await;
    assert_eq!((status, text.as_str()), (500, "the store of the audit trail does not work right now\n"));
}

#[tokio::test]
async fn without_a_store_events_are_taken_and_readers_are_told() {
    let client = Client::new(&[]);
    client.keep(&event(7, 1)).await;
    let (status, text) = client.ask(&request(7)).await;
    assert_eq!(status, 501);
    assert!(text.contains("neither audit_directory nor audit_store is set"), "{text}");
}

#[test]
fn a_store_that_is_named_by_half_stops_the_start() {
    let problems = |vars: &[(&str, &str)]| {
        let env = Env::from_map(vars.iter().copied(), [("payload-secret", "k")]);
        let error = audit_event::router(&env).unwrap_err();
        error.problems().iter().map(|problem| problem.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(problems(&[("audit_store", "tape")]), ["audit_store"]);
    assert_eq!(problems(&[("audit_store", "directory")]), ["audit_directory"]);
    assert_eq!(problems(&[("audit_store", "s3")]), ["s3_url", "s3-access-key", "s3-secret-key"]);
}
