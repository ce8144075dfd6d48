//! A changed value reaches whoever mounts it, and nobody else.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use end_to_end::{login, platform, until};

use crate::{app_of, seal, secrets_of};

/// Some five times what the budget says, for slow machines that do something else, too.
const LIMIT: Duration = Duration::from_secs(15);

#[test]
fn a_changed_secret_of_another_repository_is_live_soon_and_no_request_is_lost() {
    let platform = platform!();
    let alice = login("alice");
    let secrets = secrets_of(&platform, &alice, &[("password", "one"), ("user", "u")]);
    let app = app_of(&alice);
    app.deploy(&platform);
    let read = |key: &str| platform.get(&alice, &format!("/reader/secret/{key}"));
    assert_eq!((read("password").text.as_str(), read("user").text.as_str()), ("one", "u"), "files by their keys");
    let (reader, plain) = (format!("{alice}-reader"), format!("{alice}-plain"));
    platform.wait_for_containers(&[&reader, &plain]);
    let before = (platform.container(&reader), platform.container(&plain));
    let head = app.head();

    seal(&platform, &secrets, "db", &[("password", "two"), ("user", "u")]);
    secrets.commit("Change");
    let done = AtomicBool::new(false);
    let (calls, took) = std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut calls = 0;
            while !done.load(Ordering::Relaxed) {
                let answer = read("password");
                assert_eq!(answer.status, 200, "{}", answer.text);
                assert!(["one", "two"].contains(&answer.text.as_str()), "{}", answer.text);
                calls += 1;
            }
            calls
        });
        let push = secrets.start_push(&platform, &["main"]);
        let begun = Instant::now();
        until("the new value is served", || read("password").text == "two" || load.is_finished());
        let took = begun.elapsed();
        let pushed = push.wait();
        assert!(pushed.ok && pushed.says("imported 1 secret (2 keys)"), "{pushed}");
        done.store(true, Ordering::Relaxed);
        (load.join().unwrap(), took)
    });
    println!("live {:.1} s after the push began, {calls} requests meanwhile", took.as_secs_f64());
    assert!(took < LIMIT && calls > 10, "{took:?}, {calls} requests");
    platform.wait_for_containers(&[&reader, &plain]);
    assert_ne!(platform.container(&reader).id, before.0.id);
    assert_eq!(platform.container(&plain), before.1, "who does not mount it is left alone");
    assert_eq!(platform.label(&reader, "com.openfaas.cloud.git-sha"), head, "from the commit that was deployed");
    let report = platform.wait_for_end(&app, &head, "success");
    assert_eq!(report["outcome"], "success");

    // Sealed anew, the values are the same: nothing is restarted.
    let settled = platform.container(&reader);
    seal(&platform, &secrets, "db", &[("password", "two"), ("user", "u")]);
    assert!(secrets.commit_and_push(&platform).says("imported 1 secret (2 keys)"));
    app.write("README.md", "nothing");
    assert!(app.commit_and_push(&platform).says("(2 unchanged)"));
    assert_eq!(platform.container(&reader), settled);

    // So they are where the stage itself seals them to its newest certificate.
    let file = secrets.folder().join("secrets.yml");
    let before = std::fs::read_to_string(&file).unwrap();
    for command in ["rotate", "verify"] {
        let output = platform.ofc(&["seal", command], Some(secrets.folder()));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_ne!(std::fs::read_to_string(&file).unwrap(), before);
    assert!(secrets.commit_and_push(&platform).says("imported 1 secret (2 keys)"));
    assert_eq!(platform.container(&reader), settled);
    assert_eq!(read("password").text, "two");
}
