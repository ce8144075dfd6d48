//! Keys that are rotated, and what is still sealed to an old one.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use end_to_end::login;

use crate::{Stage, ofc, payment_service};

#[test]
fn what_was_sealed_before_a_rotation_opens_after_it_and_is_reported() {
    let staging = Stage::start("staging", None);
    let owner = login("acmeco");
    let secrets = staging.secrets(&owner, "one");
    assert!(staging.push(&secrets).says("imported 1 secret"));
    let code = payment_service(&owner);
    assert!(staging.push(&code).says("Deployed 1 function"));
    assert!(ofc(&staging.platform, &["keys", "report"]).contains("All are sealed to the newest key"));
    let first = fs::read_to_string(staging.certificate("/v1/cert.pem")).unwrap();

    ofc(&staging.platform, &["keys", "rotate"]);
    let folder = staging.platform.data().join("sealing-keys");
    let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 2);
    for path in files.iter().chain([&folder]) {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o077, 0, "{}", path.display());
    }
    end_to_end::until("the new certificate is published", || {
        fs::read_to_string(staging.certificate("/v1/cert.pem")).unwrap() != first
    });
    let report = ofc(&staging.platform, &["keys", "report"]);
    assert!(report.contains(&format!("{owner}/mongo")) && report.contains("(old)"), "{report}");
    let doctor = staging.platform.ofc(&["doctor", "--port", "0", "--gateway-port", "0"], None);
    let doctor = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(doctor.contains("sealing keys") && doctor.contains("2, the newest made today"), "{doctor}");
    assert!(doctor.contains("of which 1 are sealed to an older key"), "{doctor}");

    // The same file is imported as before, and the same file sealed anew restarts nothing.
    secrets.commit("Say it again");
    let pushed = staging.push(&secrets);
    assert!(pushed.ok && pushed.says("imported 1 secret (2 keys)"), "{pushed}");
    let before = staging.platform.container(&format!("{owner}-payment"));
    let rotated = staging.platform.ofc(&["seal", "rotate", "secrets.yaml"], Some(secrets.folder()));
    assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
    secrets.commit("Seal anew");
    let pushed = staging.push(&secrets);
    assert!(pushed.ok, "{pushed}");
    assert!(ofc(&staging.platform, &["keys", "report"]).contains("All are sealed to the newest key"));
    assert_eq!(staging.platform.container(&before.function).id, before.id);
    assert_eq!(staging.password(&owner), "one");
}
