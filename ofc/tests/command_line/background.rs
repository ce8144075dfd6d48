//! `ofc up -d` and `ofc down`.

use super::{Place, stderr, stdout};

/// Stops the platform of a test that failed.
struct Stop<'a>(&'a Place);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        let _ = self.0.run(&["down"]);
    }
}

#[test]
fn it_starts_in_the_background_and_is_stopped_by_name() {
    let place = Place::new();
    let _stop = Stop(&place);
    let output = place.run(&["up", "-d", "--port", "0", "--gateway-port", "0", "--owner", "alice"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).contains("ofc link alice/<repository>"), "{}", stdout(&output));
    // From another folder it is found as the one started last.
    let elsewhere = place.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let found = place.ofc(&["status"]).current_dir(&elsewhere).output().unwrap();
    assert!(found.status.success(), "{}", stderr(&found));
    let down = place.run(&["down"]);
    assert!(down.status.success(), "{}", stderr(&down));
    assert_eq!(place.run(&["status"]).status.code(), Some(1));
    let again = place.run(&["down"]);
    assert!(again.status.success() && stdout(&again).contains("No platform runs"), "{}", stdout(&again));
}

#[test]
fn what_keeps_it_from_starting_is_told_in_the_foreground() {
    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = place.run(&["up", "-d", "--port", &port, "--gateway-port", "0"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(&format!("port {port} of 127.0.0.1 is taken")), "{}", stderr(&output));
}

#[test]
fn purging_removes_the_data_directory() {
    let place = Place::new();
    let output = place.run(&["up", "-d", "--port", "0", "--gateway-port", "0"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let refused = place.run(&["down", "--purge"]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(place.data().exists());
    let purged = place.run(&["down", "--purge", "--yes"]);
    assert!(purged.status.success(), "{}", stderr(&purged));
    assert!(!place.data().exists());
}
