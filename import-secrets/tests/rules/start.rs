//! Starting.

use http::StatusCode;
use sdk::Env;

use crate::setup::{Stage, push, sealed, until};

fn problems(env: &Env) -> Vec<String> {
    let error = import_secrets::router(env).err().unwrap();
    error.problems().iter().map(|problem| problem.name.clone()).collect()
}

#[tokio::test]
async fn everything_that_is_missing_is_named_at_once() {
    let missing = problems(&Env::from_map::<String, String, String, String>([], []));
    assert_eq!(
        missing,
        [
            "gateway_url",
            "payload-secret",
            "gateway_url",
            "basic-auth-user",
            "basic-auth-password",
            "customers_path",
            "sealing_directory",
            "record_directory"
        ]
    );
    let stage = Stage::start().await;
    let with = |name: &str, value: &str| stage.env.with_vars([(name.to_owned(), value.to_owned())]);
    assert_eq!(problems(&with("secrets_backend", "vault")), ["secrets_backend"]);
    assert_eq!(problems(&with("secret_timeout", "soon")), ["secret_timeout"]);
    assert_eq!(problems(&with("sealing_directory", "/nowhere")), ["sealing_directory"]);
}

#[tokio::test]
async fn a_start_ends_what_the_last_process_left_undone() {
    let mut stage = Stage::start().await;
    let event = push("alice", "secrets");
    stage.import(&event, Some(&sealed("alice-db", &[("k", "one")])), &[]).await;
    let mut record = stage.record(event.owner_id);
    record["pending"] =
        serde_json::json!({"by": "another", "until": 99_999_999_999_u64, "secrets": ["db"], "created": ["alice-new"]});
    stage.write_record(event.owner_id, &record);
    stage.gateway.put_secret("alice-db", b"two");
    stage.gateway.put_secret("alice-new", b"v");
    // The gateway may start later.
    stage.gateway.refuse_next("PUT /system/secrets", StatusCode::BAD_GATEWAY, "");
    stage.restart();
    until("the undoing", || stage.value("alice-new").is_none()).await;
    assert_eq!(stage.value("alice-db").as_deref(), Some("one"));
}
