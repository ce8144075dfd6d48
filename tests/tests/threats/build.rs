//! Fetching, building and deploying what a stranger wrote.

use std::collections::BTreeSet;

use end_to_end::{Platform, Pushed, Repository, login, options, platform, until};

/// Every secret of the platform, and this owner's token.
fn secrets(platform: &Platform, owner: &str) -> Vec<(String, String)> {
    let folder = platform.data().join("secrets");
    let names = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.file_name().into_string().unwrap());
    let random = names.filter(|name| name != "basic-auth-user");
    let mut secrets: Vec<_> = random.map(|name| (name.clone(), platform.secret(&name))).collect();
    let token = String::from_utf8(platform.ofc(&["token", owner], None).stdout).unwrap().trim().to_owned();
    assert!(token.starts_with("ofg_"));
    secrets.push(("token".to_owned(), token));
    secrets
}

fn refused(platform: &Platform, repository: &Repository) -> Pushed {
    let pushed = repository.commit_and_push(platform);
    assert!(pushed.says("FAILED: "), "{pushed}");
    assert!(platform.containers().is_empty());
    pushed
}

#[test]
fn s15_handler_cannot_leave_the_checkout() {
    let platform = platform!();
    let repository = Repository::with(&login("alice"), "app", &[("a", "one")]);
    let secrets = platform.data().join("secrets");
    for handler in [secrets.to_str().unwrap(), "../../../../../../../var/openfaas/secrets", "./a/../../work"] {
        let stack =
            "version: 1.0\nprovider: {name: openfaas}\nfunctions:\n  a: {lang: dockerfile, image: x, handler: H}\n";
        repository.write("stack.yml", stack.replace('H', handler));
        refused(&platform, &repository);
    }
}

#[test]
fn s16_links_are_not_followed_out_of_the_checkout() {
    let platform = platform!();
    let repository = Repository::with(&login("alice"), "app", &[("a", "one")]);
    let target = platform.data().join("secrets/payload-secret");
    let secret = platform.secret("payload-secret");
    for (target, link) in [(target.to_str().unwrap(), "a/loot"), ("../../secrets", "a/loot"), ("/", "a/root")] {
        repository.link(target, link);
        let pushed = refused(&platform, &repository);
        assert!(!pushed.output.contains(&secret));
        repository.remove(link);
    }
    repository.remove("stack.yml");
    repository.link(target.to_str().unwrap(), "stack.yml");
    let pushed = refused(&platform, &repository);
    assert!(!pushed.output.contains(&secret), "not even in an error");
}

#[test]
fn s17_s43_no_credential_is_in_an_image_a_log_or_a_process_list() {
    let platform = platform!();
    let repository = Repository::with(&login("alice"), "app", &[("a", "one")]);
    repository.write(
        "stack.yml",
        "version: 1.0\nprovider: {name: openfaas}\nfunctions:\n  a: {lang: dockerfile, image: x, handler: ./}\n",
    );
    for file in ["Dockerfile", "serve.pl", "answer"] {
        repository.write(file, std::fs::read(repository.folder().join("a").join(file)).unwrap());
    }
    let secrets = secrets(&platform, repository.owner());
    let mut seen = BTreeSet::new();
    let sha = repository.commit("Root as handler");
    let push = repository.start_push(&platform, &["main"]);
    until("the push is through", || {
        seen.extend(command_lines());
        platform.checks(&repository, &sha).get("stack-deploy").is_some_and(|check| check.status == "completed")
    });
    let pushed = push.wait();
    assert!(pushed.ok && pushed.says("Deployed 1 function"), "{pushed}");
    let files = platform.get(repository.owner(), "/a/files").text;
    assert!(files.contains("/srv/answer") && !files.contains("/.git"), "{files}");
    let inspected = format!("{:?}", platform.engine().inspect(&platform.containers()[0].id));
    let environment = platform.get(repository.owner(), "/a/env").text;
    let said: String = platform.log().iter().map(|line| line.0.to_string()).collect();
    let audit: String = platform.audit().iter().map(ToString::to_string).collect();
    let config = std::fs::read_to_string(repository.folder().join(".git/config")).unwrap();
    let processes: String = seen.into_iter().collect();
    let places = [
        ("what the pusher sees", pushed.output.as_str()),
        ("the container", &inspected),
        ("its environment", &environment),
        ("the log", &said),
        ("the audit trail", &audit),
        ("the user's git configuration", &config),
        ("the process list", &processes),
    ];
    for (name, secret) in &secrets {
        for (place, text) in places {
            assert!(!text.contains(secret.as_str()), "{name} is in {place}");
        }
    }
}

/// The command lines of all processes, but for the tests' own questions.
fn command_lines() -> impl Iterator<Item = String> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes.filter_map(|entry| std::fs::read_to_string(entry.path().join("cmdline")).ok())
}

#[test]
fn s18_function_names_never_become_paths() {
    let platform = platform!();
    let victim = Repository::with(&login("victim"), "app", &[("a", "safe")]);
    victim.deploy(&platform);
    let mallory = Repository::with(&login("mallory"), "app", &[("a", "evil")]);
    for name in ["../../victim", "..", "a/b", "a%2fb", "\"a\\0b\"", "/tmp/x"] {
        let stack =
            "version: 1.0\nprovider: {name: openfaas}\nfunctions:\n  N: {lang: dockerfile, image: x, handler: ./a}\n";
        mallory.write("stack.yml", stack.replace('N', name));
        let pushed = mallory.commit_and_push(&platform);
        assert!(pushed.says("The deployment FAILED: stack.yml: "), "{name}: {pushed}");
    }
    assert_eq!(platform.get(victim.owner(), "/a").text, "safe");
    platform.wait_for_no_work();
}

#[test]
fn s19_builds_of_one_repository_have_folders_of_their_own_and_leave_none() {
    let platform = platform!();
    let repository = Repository::with(&login("alice"), "app", &[("a", "one"), ("b", "two")]);
    let other = Repository::with(repository.owner(), "app2", &[("c", "three")]);
    let pushes = [repository.start_push(&platform, &["main"]), other.start_push(&platform, &["main"])];
    for push in pushes {
        let pushed = push.wait();
        assert!(pushed.ok && pushed.last().starts_with("Deployed "), "{pushed}");
    }
    for (function, answer) in [("a", "one"), ("b", "two"), ("c", "three")] {
        assert_eq!(platform.get(repository.owner(), &format!("/{function}")).text, answer);
    }
    platform.wait_for_no_work();
}

#[test]
fn s20_a_commit_that_is_not_there_is_never_replaced_by_another() {
    let platform = platform!();
    let repository = Repository::with(&login("alice"), "app", &[("a", "one")]);
    repository.deploy(&platform);
    let body = crate::webhooks::push(&platform, &repository, "refs/heads/main", &"f".repeat(40));
    assert_eq!(platform.signed_push(&body).status, 202);
    platform.wait_for_audit(&"f".repeat(40), "the commit fffffff is not in");
    assert_eq!(platform.label(&format!("{}-a", repository.owner()), "com.openfaas.cloud.git-sha"), repository.head());
}

#[test]
fn s21_failed_work_never_reads_as_success() {
    let platform = platform!();
    let repository = Repository::with(&login("alice"), "app", &[("a", "one"), ("b", "two")]);
    repository.write("b/Dockerfile", "FROM debian:bookworm-slim\nRUN exit 9\n");
    let sha = repository.commit("Break b");
    let pushed = repository.push(&platform);
    let checks = platform.checks(&repository, &sha);
    let conclusion = |name: &str| checks[name].conclusion.as_str();
    assert_eq!(
        [conclusion("a"), conclusion("b"), conclusion("stack-deploy")],
        ["success", "failure", "failure"],
        "{pushed}"
    );
    assert_eq!(platform.call("buildshiprun", "not a tar").status, 400);
    assert_eq!(platform.call("git-tar", "{}").status, 400);
}

#[test]
fn s25_steps_of_a_build_reach_neither_this_machine_nor_its_engine() {
    let platform = platform!();
    assert!(platform.listeners().iter().all(|address| address.ip().is_loopback()), "{:?}", platform.listeners());
    let repository = Repository::with(&login("alice"), "app", &[("a", "one")]);
    let port = platform.gateway().port();
    let probe = format!(
        "FROM debian:bookworm-slim\nRUN perl -MIO::Socket::INET -e 'for my $h (qw(127.0.0.1 172.17.0.1)) {{ exit 9 if IO::Socket::INET->new(PeerAddr => qq($h:{port}), Timeout => 2) }}' && test ! -e /var/run/docker.sock && test ! -e /dev/mem && ! mount -t tmpfs x /mnt 2>/dev/null\nCOPY . /srv/\nCMD [\"perl\", \"/srv/serve.pl\"]\n"
    );
    repository.write("a/Dockerfile", probe);
    let pushed = repository.commit_and_push(&platform);
    assert!(pushed.says("Deployed 1 function"), "{pushed}");
}

#[test]
fn s26_the_history_is_not_fetched_and_what_is_too_big_is_refused() {
    let platform = platform!();
    let repository = Repository::with(&login("alice"), "app", &[("a", "one")]);
    repository.write("a/ballast", vec![7; 2 << 20]);
    repository.commit("Ballast");
    repository.remove("a/ballast");
    repository.commit("Without");
    repository.deploy(&platform);
    // One file of the handler over the limit of a context; the push itself is small.
    std::fs::File::create(repository.folder().join("a/zeros")).unwrap().set_len(600 << 20).unwrap();
    let pushed = repository.commit_and_push(&platform);
    assert!(pushed.says("FAILED: a: 'a/zeros'"), "{pushed}");
    assert_eq!(platform.get(repository.owner(), "/a").text, "one");
    platform.wait_for_no_work();
}

#[test]
fn s27_functions_are_deployed_by_digest_and_images_of_two_owners_never_share_a_name() {
    let platform = platform!();
    let stem = login("a");
    let one = Repository::with(&format!("{stem}-b"), "c", &[("fn", "one")]);
    let two = Repository::with(&stem, "b-c", &[("fn", "two")]);
    one.deploy(&platform);
    two.deploy(&platform);
    let image = |owner: &str| platform.function(&format!("{owner}-fn")).unwrap()["image"].as_str().unwrap().to_owned();
    let (first, second) = (image(one.owner()), image(two.owner()));
    assert!(first.contains("@sha256:") && second.contains("@sha256:"), "{first} {second}");
    assert_ne!(first.split('@').next(), second.split('@').next());
    assert_eq!(platform.get(one.owner(), "/fn").text, "one");
    assert_eq!(platform.get(two.owner(), "/fn").text, "two");
}

#[test]
fn s28_a_stack_file_gets_nothing_of_the_platforms_environment() {
    let platform = Platform::start(options!().variable("of_loot", "taken"));
    let repository = Repository::with(&login("alice"), "app", &[("a", "one")]);
    repository.stack(&[("a", "environment: {loot: \"${of_loot:-nothing}\", path: \"${PATH:-none}\"}")]);
    let pushed = repository.commit_and_push(&platform);
    assert!(pushed.says("Deployed 1 function"), "{pushed}");
    let environment = platform.get(repository.owner(), "/a/env").text;
    assert!(environment.contains("loot=nothing\n") && environment.contains("path=none\n"), "{environment}");
}

#[test]
fn s29_a_log_that_cannot_be_kept_does_not_stop_a_deployment() {
    let platform = platform!();
    let repository = Repository::with(&login("alice"), "app", &[("a", "one")]);
    std::fs::remove_dir_all(platform.data().join("logs")).unwrap();
    std::fs::write(platform.data().join("logs"), "in the way").unwrap();
    let sha = repository.head();
    repository.deploy(&platform);
    assert_eq!(platform.get(repository.owner(), "/a").text, "one");
    assert!(platform.checks(&repository, &sha).values().all(|check| check.conclusion == "success"));
}
