//! A stage that is lost, and comes back from its backup.

use std::fs;

use end_to_end::{Platform, login, options};

use crate::{Stage, ofc, payment_service};

/// What no command may print.
const KEY: &str = "BEGIN PRIVATE KEY";

#[test]
fn a_stage_that_was_restored_opens_the_same_file() {
    let mut staging = Stage::start("staging", None);
    let owner = login("acmeco");
    let secrets = staging.secrets(&owner, "one");
    assert!(staging.push(&secrets).says("imported 1 secret"));
    let before = ofc(&staging.platform, &["keys", "ls"]);
    let file = staging.folder.path().join("running.tar");
    ofc(&staging.platform, &["backup", file.to_str().unwrap()]);
    let second = staging.platform.ofc(&["backup", file.to_str().unwrap()], None);
    assert!(!second.status.success(), "no backup is overwritten");
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("is there already") && !said.contains(KEY), "{said}");

    staging.platform.stop();
    let whole = staging.folder.path().join("whole.tar");
    ofc(&staging.platform, &["backup", whole.to_str().unwrap()]);
    let data = staging.platform.data().to_owned();
    let refused = staging.platform.ofc(&["restore", whole.to_str().unwrap()], None);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("is not empty"));
    fs::remove_dir_all(&data).unwrap();
    ofc(&staging.platform, &["restore", whole.to_str().unwrap()]);
    staging.platform.restart();
    assert_eq!(ofc(&staging.platform, &["keys", "ls"]), before);
    let pushed = staging.push(&payment_service(&owner));
    assert!(pushed.says("Deployed 1 function"), "{pushed}");
    assert_eq!(staging.password(&owner), "one");

    // The small one, that was made while it ran, has what the same file needs to be imported again.
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("restored");
    let options =
        options!().argument("--domain").argument("staging.localhost").argument("--build-branch").argument("staging");
    staging.platform.stop();
    let restored = staging.platform.ofc(&["restore", file.to_str().unwrap()], None);
    assert!(!restored.status.success(), "not into a directory that is in use");
    restore(&staging.platform, &file, &into);
    let platform = Platform::start(options.data(&into));
    assert_eq!(ofc(&platform, &["keys", "ls"]), before);
    let restored = Stage { platform, name: "staging", folder };
    let pushed = restored.push(&secrets);
    assert!(pushed.ok && pushed.says("imported 1 secret (2 keys)"), "{pushed}");
    let pushed = restored.push(&payment_service(&owner));
    assert!(pushed.ok, "{pushed}");
    restored.platform.wait_for(&owner, "payment/secret/mongo-password", "one");
}

/// `ofc restore` into another directory than the platform's.
fn restore(platform: &Platform, file: &std::path::Path, into: &std::path::Path) {
    let output = platform.ofc_alone(&["restore", file.to_str().unwrap(), "--data", into.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
