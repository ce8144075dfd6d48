//! Pushes that are in order, from `git push` to the function that answers.

use end_to_end::{Container, Platform, Repository, login, platform, until};

fn service(repository: &Repository, function: &str) -> String {
    format!("{}-{function}", repository.owner())
}

/// The containers of everything but one function.
fn others(platform: &Platform, service: &str) -> Vec<Container> {
    platform.containers().into_iter().filter(|container| container.function != service).collect()
}

#[test]
fn the_first_push_makes_three_functions_live() {
    let platform = platform!();
    let repository = Repository::with(&login("alice"), "hello", &[("a", "one"), ("b", "two"), ("c", "three")]);
    let owner = repository.owner();
    let pushed = repository.deploy(&platform);
    for (function, answer) in [("a", "one"), ("b", "two"), ("c", "three")] {
        let got = platform.get(owner, &format!("/{function}"));
        assert_eq!((got.status, got.text.as_str()), (200, answer), "{function}");
        assert!(pushed.says(&format!("{function}       building")), "{pushed}");
        assert!(pushed.says(&format!("live at http://{owner}.localhost")), "{pushed}");
        let name = service(&repository, function);
        assert_eq!(platform.label(&name, "com.openfaas.cloud.git-owner"), owner);
        assert_eq!(platform.label(&name, "com.openfaas.cloud.git-sha"), repository.head());
        assert!(platform.label(&name, "com.openfaas.cloud.git-owner-id").parse::<u64>().unwrap() > 0);
        assert!(platform.function(&name).unwrap()["image"].as_str().unwrap().contains("@sha256:"));
    }
    assert!(pushed.says("3 functions: 3 to build"), "{pushed}");
    assert!(pushed.last().starts_with("Deployed 3 functions in "), "{pushed}");
    let checks = platform.checks(&repository, &repository.head());
    assert_eq!(checks.keys().collect::<Vec<_>>(), ["a", "b", "c", "stack-deploy"]);
    assert!(checks.values().all(|check| check.conclusion == "success"), "{checks:?}");
    platform.wait_for_audit(&repository.head(), "Deployed 3 functions");
    platform.wait_for_no_work();
}

#[test]
fn only_what_changed_is_built() {
    let platform = platform!();
    let repository = Repository::with(&login("alice"), "hello", &[("a", "one"), ("b", "two"), ("c", "three")]);
    let (owner, b) = (repository.owner(), service(&repository, "b"));
    repository.deploy(&platform);
    let before = platform.containers();

    repository.write("b/answer", "two, changed");
    let pushed = repository.commit_and_push(&platform);
    assert!(pushed.says("3 functions: 1 to build, 2 unchanged"), "{pushed}");
    assert_eq!(platform.get(owner, "/b").text, "two, changed");
    platform.wait_for_containers(&[&service(&repository, "a"), &b, &service(&repository, "c")]);
    assert_eq!(others(&platform, &b), before.iter().filter(|c| c.function != b).cloned().collect::<Vec<_>>());
    let after = platform.containers();

    let pushed = repository.commit_and_push(&platform);
    assert!(pushed.says("3 functions: 3 unchanged"), "an empty commit: {pushed}");
    let again = repository.push(&platform);
    assert!(again.ok && again.output.contains("Everything up-to-date"), "{again}");
    assert_eq!(platform.containers(), after, "nothing was touched");

    repository.stack(&[("a", ""), ("b", "environment: {greeting: Hi}"), ("c", "")]);
    let pushed = repository.commit_and_push(&platform);
    assert!(pushed.says("3 functions: 1 to redeploy, 2 unchanged") && !pushed.says("built in"), "{pushed}");
    assert!(platform.get(owner, "/b/env").status == 200);
    platform.wait_for_containers(&[&service(&repository, "a"), &b, &service(&repository, "c")]);
    let redeployed = platform.container(&b);
    assert_eq!(redeployed.image, after.iter().find(|c| c.function == b).unwrap().image, "the same image");
    let environment = platform.engine().inspect(&redeployed.id).config.unwrap().env.unwrap();
    assert!(environment.contains(&"greeting=Hi".to_owned()), "{environment:?}");
    assert_eq!(others(&platform, &b), after.iter().filter(|c| c.function != b).cloned().collect::<Vec<_>>());
}

#[test]
fn a_function_that_the_stack_no_longer_has_is_removed() {
    let platform = platform!();
    let repository = Repository::with(&login("alice"), "hello", &[("a", "one"), ("b", "two")]);
    let other = Repository::with(repository.owner(), "other", &[("d", "four")]);
    repository.deploy(&platform);
    other.deploy(&platform);
    let kept = others(&platform, &service(&repository, "b"));

    repository.stack(&[("a", "")]);
    repository.remove("b");
    let pushed = repository.commit_and_push(&platform);
    assert!(pushed.says("1 function: 1 unchanged"), "{pushed}");
    platform.wait_for_containers(&[&service(&repository, "a"), &service(&other, "d")]);
    assert_eq!(platform.get(repository.owner(), "/b").status, 404);
    assert_eq!(platform.containers(), kept);
    platform.wait_for_audit(
        &repository.head(),
        &format!("deleting what is no longer wanted: {}", service(&repository, "b")),
    );

    other.write("d/answer", "five");
    other.commit_and_push(&platform);
    assert_eq!(platform.get(other.owner(), "/d").text, "five");
    assert_eq!(platform.get(repository.owner(), "/a").text, "one", "the other repository is not disturbed");
    let held = Repository::with(repository.owner(), "third", &[("a", "mine")]);
    let refused = held.push(&platform);
    assert!(refused.says("is held by repository hello"), "{refused}");
    assert_eq!(platform.get(repository.owner(), "/a").text, "one");
}

#[test]
fn other_branches_and_deletions_deploy_nothing() {
    let platform = platform!();
    let repository = Repository::with(&login("alice"), "hello", &[("a", "one")]);
    repository.deploy(&platform);
    let before = platform.containers();

    repository.git(&["checkout", "--quiet", "-b", "draft"]);
    repository.write("a/answer", "a draft");
    let sha = repository.commit("Draft");
    let pushed = repository.start_push(&platform, &["draft"]).wait();
    assert!(pushed.ok && pushed.says("skipping build for refs/heads/draft: the build branch is main"), "{pushed}");
    assert_eq!(platform.checks(&repository, &sha)["stack-deploy"].conclusion, "skipped");

    for arguments in [&["--delete", "draft"][..], &["main:refs/tags/v1"]] {
        let pushed = repository.start_push(&platform, arguments).wait();
        assert!(pushed.ok && !pushed.says("FAILED"), "{pushed}");
    }
    // The branch that is deployed: git itself protects it, or nothing is removed.
    repository.start_push(&platform, &["--delete", "main"]).wait();
    assert_eq!(platform.get(repository.owner(), "/a").text, "one");
    assert_eq!(platform.containers(), before);
}

#[test]
fn a_forced_push_during_a_build_wins() {
    let platform = platform!();
    let all = [("a", "one"), ("b", "two"), ("c", "three"), ("d", "four")];
    let repository = Repository::with(&login("alice"), "hello", &all);
    repository.deploy(&platform);
    let base = repository.head();
    let slow = "FROM debian:bookworm-slim\nCOPY . /srv/\nRUN sleep 3\nCMD [\"perl\", \"/srv/serve.pl\"]\n";
    for (function, _) in all {
        repository.write(&format!("{function}/answer"), "slow");
        repository.write(&format!("{function}/Dockerfile"), slow);
    }
    let slow = repository.commit("Slow");
    let first = platform.watch_log(
        || repository.start_push(&platform, &["main"]),
        |line| line.message() == "build started" && line.field("sha") == Some(&slow),
    );
    repository.git(&["reset", "--quiet", "--hard", &base]);
    repository.write("a/answer", "the newest");
    repository.commit("Newest");
    let second = repository.start_push(&platform, &["--force", "main"]).wait();
    let first = first.wait();
    assert!(second.ok && second.last().starts_with("Deployed "), "{second}");
    // What was being built is done with; the rest of the commit that lost is not begun.
    assert!(first.says(&format!("superseded by {}", &repository.head()[..7])), "{first}");
    assert!(!first.says("Deployed "), "{first}");
    for (function, answer) in [("a", "the newest"), ("b", "two"), ("c", "three"), ("d", "four")] {
        assert_eq!(platform.get(repository.owner(), &format!("/{function}")).text, answer);
    }
    assert_eq!(platform.label(&service(&repository, "a"), "com.openfaas.cloud.git-sha"), repository.head());
    platform
        .wait_for_containers(&all.map(|(function, _)| service(&repository, function)).each_ref().map(String::as_str));
    until("no check of the commit that lost waits", || {
        platform.checks(&repository, &slow).values().all(|check| check.status == "completed")
    });
}

#[test]
fn a_function_of_a_template_is_built_and_changed() {
    let platform = platform!();
    let repository = Repository::with(&login("alice"), "hello", &[("a", "one")]);
    let stack = "    lang: python3\n    handler: ./words\n    image: words:latest\n";
    repository.write("stack.yml", format!("version: 1.0\nprovider: {{name: openfaas}}\nfunctions:\n  words:\n{stack}"));
    let handler = "def handle(event, context):\n    return {\"statusCode\": 200, \"body\": \"ANSWER\"}\n";
    repository.write("words/handler.py", handler.replace("ANSWER", "first"));
    let pushed = repository.commit_and_push(&platform);
    assert!(pushed.says("Deployed 1 function"), "{pushed}");
    assert_eq!(platform.get(repository.owner(), "/words").text, "first");
    repository.write("words/handler.py", handler.replace("ANSWER", "second"));
    let start = std::time::Instant::now();
    let pushed = repository.commit_and_push(&platform);
    assert!(pushed.says("Deployed 1 function"), "{pushed}");
    assert_eq!(platform.get(repository.owner(), "/words").text, "second");
    println!("a changed handler was live after {:.1} s", start.elapsed().as_secs_f64());
}
