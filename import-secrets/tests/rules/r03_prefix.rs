//! Rule 3: the owner's prefix counts with its hyphen, and who gets it wrong is told the right form.

use crate::setup::{Stage, push, sealed};

#[tokio::test]
async fn a_name_needs_the_login_and_a_hyphen() {
    let stage = Stage::start().await;
    let event = push("bob", "secrets");
    for name in ["bobby-db", "db", "bob", "alice-db", "bob--db"] {
        let (status, text) = stage.refused(&event, &sealed(name, &[("k", "v")])).await;
        assert_eq!(status, 422, "{name}: {text}");
        assert!(text.contains("bob-<name>, such as bob-db"), "{name}: {text}");
    }
    let (_, text) = stage.refused(&event, &sealed("bobby-db", &[("k", "v")])).await;
    insta::assert_snapshot!(text, @"the secret bobby-db must be sealed under the name bob-<name>, such as bob-db: <name> of lower-case letters, digits and inner hyphens");
    assert!(stage.gateway.secret_names().is_empty());
}
