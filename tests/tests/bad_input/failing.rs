//! Functions that are in order until they are built or started.

use crate::live::Live;

fn dockerfile(rest: &str) -> String {
    format!("FROM debian:bookworm-slim\n{rest}\n")
}

#[test]
fn a_dockerfile_that_fails_shows_its_last_30_lines() {
    let live = Live::new();
    let step = r#"RUN perl -e '$| = 1; print "step $_\n" for 1 .. 50; exit 7'"#;
    live.repository.write("a/Dockerfile", dockerfile(step));
    let pushed = live.refused("a");
    assert!(pushed.says("step 50") && pushed.says("step 25"), "{pushed}");
    assert!(!pushed.lines.iter().any(|line| line.trim_start() == "step 5"), "no more than 30 lines: {pushed}");
    assert!(pushed.says("exit code: 7") || pushed.says("exit code 7"), "{pushed}");

    live.repository.write("a/Dockerfile", "FROM debian:bookworm-slim\nCOPPY . /srv/\n");
    live.refused("a");
    live.repository.write("a/Dockerfile", "FROM nobody.localhost:1/nothing\n");
    live.refused("a");
    live.repository.remove("a/Dockerfile");
    live.refused("Dockerfile");
}

#[test]
fn an_image_that_ends_at_its_start_shows_exit_code_and_log() {
    let live = Live::new();
    let command = r#"CMD ["perl", "-e", "print STDERR qq(no configuration\n); exit 3"]"#;
    live.repository.write("a/Dockerfile", dockerfile(command));
    let pushed = live.refused("ended with exit code 3 before it was ready");
    assert!(pushed.lines.iter().any(|line| line.trim() == "no configuration"), "{pushed}");
    let sentence = format!(
        "The deployment FAILED: deploy failed: a: the function {}-a.openfaas-fn ended",
        live.repository.owner()
    );
    assert!(pushed.last().starts_with(&sentence), "{pushed}");

    live.repository.write("a/Dockerfile", dockerfile(r#"CMD ["/no/such/program"]"#));
    let pushed = live.refused("ended with exit code 127 before it was ready");
    assert!(pushed.says("/no/such/program") && pushed.says("No such file or directory"), "{pushed}");
}

#[test]
fn a_container_that_never_becomes_ready_is_taken_away() {
    let live = Live::new();
    let command = r#"CMD ["perl", "-e", "$| = 1; print qq(waiting for a message\n); sleep 1000"]"#;
    live.repository.write("a/Dockerfile", dockerfile(command));
    let pushed = live.refused("was not ready within 30s");
    assert!(pushed.says("waiting for a message"), "{pushed}");
}

#[test]
fn one_function_that_fails_does_not_stop_the_others() {
    let live = Live::new();
    let (platform, repository) = (&live.platform, &live.repository);
    repository.stack(&[("a", ""), ("b", "")]);
    repository.function("b", "fine");
    repository.write("a/Dockerfile", dockerfile("RUN exit 1"));
    let pushed = repository.commit_and_push(platform);
    assert!(pushed.says("b       live at") && pushed.says("a       FAILED: "), "{pushed}");
    assert!(pushed.says("The deployment FAILED: "), "{pushed}");
    assert_eq!(platform.get(repository.owner(), "/b").text, "fine");
    assert_eq!(platform.get(repository.owner(), "/a").text, crate::live::GOOD);
}
