//! What `ofc` says, without a platform.

use super::{Place, stderr, stdout};

#[test]
fn help_names_every_command_and_shows_examples() {
    let output = Place::new().run(&["--help"]);
    assert!(output.status.success());
    insta::assert_snapshot!(stdout(&output));
}

#[test]
fn every_command_has_help() {
    let place = Place::new();
    let commands = [
        "init",
        "up",
        "down",
        "demo",
        "doctor",
        "link",
        "ls",
        "logs",
        "top",
        "builds",
        "open",
        "status",
        "redeploy",
        "redeliver",
        "repo",
        "token",
        "password",
        "completions",
    ];
    for command in commands {
        let output = place.run(&[command, "--help"]);
        assert!(output.status.success(), "{command}");
        assert!(stdout(&output).contains("Usage: ofc "), "{command}");
    }
}

#[test]
fn help_of_up_is_as_written() {
    insta::assert_snapshot!(stdout(&Place::new().run(&["up", "--help"])));
}

#[test]
fn a_wrong_option_is_a_usage_error() {
    let output = Place::new().run(&["up", "--prot", "1"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--port"), "{}", stderr(&output));
}

#[test]
fn where_no_platform_has_been_the_hint_is_to_start_one() {
    let place = Place::new();
    for command in [
        &["ls"][..],
        &["status"],
        &["status", "alice/hello"],
        &["redeploy", "alice/hello"],
        &["redeliver"],
        &["repo", "uninstall", "alice"],
        &["repo", "install", "alice/hello"],
        &["down"],
        &["link", "alice/hello"],
        &["logs", "alice/hello"],
        &["top", "--once"],
        &["builds"],
        &["open", "--print"],
    ] {
        let output = place.run(command);
        assert_eq!(output.status.code(), Some(1), "{command:?}");
        insta::allow_duplicates! {
            insta::assert_snapshot!(stderr(&output), @r"
            error: no platform has been started here
              hint: start one with `ofc up`, or name its data directory with --data DIR
            ");
        }
    }
}

#[test]
fn a_malformed_repository_is_a_usage_error() {
    let output = Place::new().run(&["link", "hello"]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(stderr(&output), @r"
    error: 'hello' names no repository
      caused by: 'hello' is not of the form owner/repository
      hint: write it as OWNER/REPOSITORY, for example alice/hello
    ");
}

#[test]
fn half_an_app_and_an_app_that_asks_for_deployments_are_usage_errors() {
    let place = Place::new();
    for arguments in [
        &["redeliver", "--app-id", "1"][..],
        &["redeliver", "--key-file", "key.pem"],
        &["redeliver", "--since", "soon"],
        &["redeploy", "alice/hello", "--app-id", "1", "--key-file", "key.pem"],
        &["redeploy", "alice/hello", "--api-url", "http://ghe.example", "--token-file", "Cargo.toml"],
        &["status", "hello"],
        &["repo", "rm", "hello"],
    ] {
        let output = place.run(arguments);
        let code = output.status.code();
        assert!(
            code == Some(2) || (arguments.contains(&"--token-file") && code == Some(1)),
            "{arguments:?}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn moments_texts_and_numbers_that_are_none_are_usage_errors() {
    let place = Place::new();
    let long = "x".repeat(300);
    for arguments in [
        &["logs", "alice/hello", "--since", "soon"][..],
        &["logs", "alice/hello", "--until", "03:04"],
        &["logs", "alice/hello", "--follow", "--until", "1h"],
        &["logs", "alice/hello", "--grep", &long],
        &["logs", "a/b/c"],
        &["builds", "--limit", "0"],
        &["builds", "--limit", "101"],
        &["builds", "--repo", "hello"],
        &["open", "a/b/c"],
        &["top", "--every", "0"],
    ] {
        let output = place.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn a_folder_that_is_no_platforms_is_not_purged() {
    let place = Place::new();
    std::fs::write(place.path().join("precious"), "x").unwrap();
    let output = place.run(&["down", "--purge", "--yes", "--data", "."]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("is no platform's data directory"), "{}", stderr(&output));
    assert!(place.path().join("precious").exists());
}

#[test]
fn doctor_ends_with_a_verdict_and_its_exit_code() {
    let output = Place::new().run(&["doctor", "--port", "0", "--gateway-port", "0", "--data", ".ofc"]);
    let text = stdout(&output);
    for what in ["container engine", "git", "names", "port", "data directory", "disk"] {
        assert!(text.contains(what), "{what} is not in:\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "colours where there is no terminal");
    assert_eq!(output.status.success(), !text.contains("FAIL  "), "{text}");
}
