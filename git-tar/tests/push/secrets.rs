//! Secrets in the course of a push.

use http::StatusCode;
use sdk::event::PushEvent;
use sdk::fake_gateway::Message;
use sdk::secrets::SecretsRequest;
use sdk::status::{Annotation, State};

use crate::gate::Gate;
use crate::keeper::{Keeper, asked, kinds};
use crate::lab::{Lab, STACK, run};

/// Two functions, of which `two` mounts `db`.
async fn two() -> (Lab, Keeper) {
    let mut lab = Lab::new().await;
    lab.write("stack.yml", &format!("{STACK}  two:\n    lang: py\n    handler: hello\n    secrets: [db, db]\n"));
    lab.set("build_parallelism", "1");
    let keeper = Keeper::start(&lab);
    (lab, keeper)
}

/// A repository with nothing but secrets.
async fn secrets_only() -> (Lab, Keeper) {
    let lab = Lab::new().await;
    for path in ["stack.yml", "hello/handler.py"] {
        std::fs::remove_file(lab.repository("alice/app.git").join(path)).unwrap();
    }
    lab.write("secrets.yml", "a\nb\nc\n");
    let keeper = Keeper::start(&lab);
    (lab, keeper)
}

#[tokio::test]
async fn a_repository_of_secrets_only_is_imported_and_nothing_else_is_done() {
    let (mut lab, keeper) = secrets_only().await;
    assert_eq!(lab.push().await, (StatusCode::OK, "imported 1 secret (3 keys)".to_owned()));
    let status = lab.status("stack-deploy").unwrap();
    assert_eq!((status.state, status.title.as_str()), (State::Success, "imported 1 secret (3 keys)"));
    assert_eq!(kinds(&lab), ["import a file", "prune"]);
    let SecretsRequest::Import(import) = asked(&lab).remove(0) else { panic!("an import") };
    let file = import.file.unwrap();
    assert_eq!((file.name.as_str(), file.text.as_str(), import.wanted.len()), ("secrets.yml", "a\nb\nc\n", 0));
    assert!(lab.orders().is_empty() && lab.gateway.messages("garbage-collect").is_empty());
    keeper.removes("old");
    assert_eq!(lab.push().await.1, "imported 1 secret (3 keys), removed old");
    lab.nothing_left();
}

#[tokio::test]
async fn a_repository_that_drops_its_only_file_drops_its_secrets() {
    let (mut lab, keeper) = secrets_only().await;
    let file = lab.repository("alice/app.git").join("secrets.yml");
    std::fs::remove_file(&file).unwrap();
    keeper.removes("db");
    assert_eq!(lab.push().await, (StatusCode::OK, "removed db".to_owned()));
    assert_eq!(lab.status("stack-deploy").unwrap().state, State::Success);
    let (mut lab, keeper) = secrets_only().await;
    std::fs::remove_file(lab.repository("alice/app.git").join("secrets.yml")).unwrap();
    keeper.is_in_use("db", "alice-api");
    let sentence = lab.refused().await;
    assert!(sentence.contains("db") && sentence.contains("alice-api"), "{sentence}");
}

#[tokio::test]
async fn the_other_name_of_the_file_does_too_and_both_are_refused() {
    let (mut lab, _keeper) = secrets_only().await;
    lab.write("secrets.yaml", "a\n");
    assert_eq!(lab.refused().await, "there are a secrets.yml and a secrets.yaml: remove one of them");
    std::fs::remove_file(lab.repository("alice/app.git").join("secrets.yml")).unwrap();
    assert_eq!(lab.push().await.1, "imported 1 secret (1 key)");
}

#[tokio::test]
async fn files_that_cannot_be_secrets_are_refused_before_anybody_is_asked() {
    let (mut lab, _keeper) = secrets_only().await;
    let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 99999\n", "0a".repeat(32));
    lab.write("secrets.yml", &pointer);
    let sentence = "secrets.yml is only a pointer of Git LFS (to 99999 bytes): commit the file itself";
    assert_eq!(lab.refused().await, sentence);
    lab.write("secrets.yml", &"#".repeat(sdk::secrets::MAX_FILE_BYTES * 2));
    let sentence = lab.refused().await;
    assert!(sentence.contains("secrets.yml") && sentence.contains("has 4 MiB and may have 2 MiB"), "{sentence}");
    std::fs::write(lab.repository("alice/app.git").join("secrets.yml"), [0xff, 0xfe]).unwrap();
    assert!(lab.refused().await.contains("secrets.yml"));
    for target in ["/etc/passwd", "../../../etc/passwd", "secrets.yml"] {
        std::fs::remove_file(lab.repository("alice/app.git").join("secrets.yml")).unwrap();
        lab.link(target, "secrets.yml");
        let sentence = lab.refused().await;
        assert!(sentence.contains("secrets.yml"), "{target}: {sentence}");
    }
    assert!(asked(&lab).is_empty());
    std::fs::remove_file(lab.repository("alice/app.git").join("secrets.yml")).unwrap();
    lab.write("stages/live.yml", "a\n");
    lab.link("stages/live.yml", "secrets.yml");
    assert_eq!(lab.push().await.1, "imported 1 secret (1 key)", "a link within the repository is what it names");
}

#[tokio::test]
async fn a_push_without_secrets_asks_once_and_at_its_end() {
    let mut lab = Lab::new().await;
    let _keeper = Keeper::start(&lab);
    let gate = Gate::start(&mut lab).await;
    let event = lab.commit();
    let (router, gateway) = (lab.router(), lab.gateway.clone());
    let running = tokio::spawn(async move { run(router, &gateway, &event).await });
    gate.one_arrives().await;
    assert!(asked(&lab).is_empty());
    gate.leave.add_permits(10);
    assert!(running.await.unwrap().1.ends_with("(1 built)"));
    assert_eq!(kinds(&lab), ["prune, bare"]);
    let order = &lab.orders()[0].order;
    let settings = serde_json::to_value(&order.settings).unwrap();
    assert!(settings.get("mounted").is_none(), "what has no secrets keeps its digest");
}

#[tokio::test]
async fn a_changed_secret_deploys_again_what_mounts_it_and_builds_nothing() {
    let (mut lab, keeper) = two().await;
    keeper.has("db", "v1");
    let (_, answer) = lab.push().await;
    assert!(answer.ends_with("(2 built)"), "{answer}");
    assert_eq!(kinds(&lab), ["import nothing", "prune"]);
    let orders = lab.orders();
    let mounted = &orders[1].order.settings.mounted[&"db".parse().unwrap()];
    assert_eq!((mounted.version.as_str(), mounted.names.as_slice()), ("v1", ["alice-db.key".to_owned()].as_slice()));
    assert!(orders[0].order.settings.mounted.is_empty());
    lab.deploy_orders();
    assert!(lab.push().await.1.ends_with("(2 unchanged)"));
    keeper.has("db", "v2");
    let (_, answer) = lab.push().await;
    assert!(answer.ends_with("(1 redeployed, 1 unchanged)"), "{answer}");
    let last = &lab.orders()[2];
    assert_eq!((last.order.function.as_str(), last.paths.len()), ("two", 0));
    assert_eq!(last.order.build_digest, orders[1].order.build_digest);
}

#[tokio::test]
async fn a_function_without_its_secret_waits_alone_and_says_how_that_is_mended() {
    let (mut lab, keeper) = two().await;
    let reason = "waits for the secret db: push it in a secrets.yml (ofc seal --name db); the function is deployed as soon as it is there";
    let (status, answer) = lab.push().await;
    assert_eq!((status, answer), (StatusCode::UNPROCESSABLE_ENTITY, format!("deploy failed: two: {reason}")));
    assert_eq!(lab.orders().len(), 1, "the other function goes on");
    let function = lab.status("two").unwrap();
    assert_eq!((function.state, function.title.as_str()), (State::Failure, reason));
    let line = Annotation { path: "stack.yml".to_owned(), line: 9, message: reason.to_owned() };
    assert_eq!(function.annotations, [line]);
    assert_eq!(lab.status("hello").unwrap().state, State::Success);
    assert!(lab.statuses().iter().any(|s| s.title == "2 functions: 1 to build, 1 waits for a secret"));
    assert!(lab.gateway.messages("garbage-collect").is_empty());
    assert_eq!(kinds(&lab), ["import nothing"], "what is not done yet is not tidied up after");

    // import-secrets sends the push again when the secret arrives.
    lab.deploy_orders();
    keeper.has("db", "v1");
    let event = lab.event(lab.status("two").unwrap().sha.as_str());
    let (_, answer) = lab.run(&event).await;
    assert!(answer.ends_with("(1 built, 1 unchanged)"), "{answer}");
    assert_eq!(lab.status("stack-deploy").unwrap().state, State::Success);
}

#[tokio::test]
async fn several_missing_secrets_are_named_together() {
    let (mut lab, _keeper) = two().await;
    lab.write("stack.yml", &STACK.replace("image: hello", "secrets: [db, api]"));
    let reason = "hello: waits for the secrets api, db: push them in a secrets.yml (ofc seal --name api); the function is deployed as soon as they are there";
    assert_eq!(lab.push().await.1, format!("deploy failed: {reason}"));
}

#[tokio::test]
async fn a_file_that_is_refused_stops_the_push_and_points_at_its_line() {
    for (answer, line) in [
        (r#"{"error": "line 3: it was sealed for another stage", "line": 3}"#, 3),
        ("line 3: it was sealed for another stage", 3),
    ] {
        let (mut lab, keeper) = two().await;
        lab.write("secrets.yml", "a\nb\nc\n");
        keeper.refuses(StatusCode::UNPROCESSABLE_ENTITY, answer);
        let sentence = lab.refused().await;
        assert_eq!(sentence, "secrets.yml: line 3: it was sealed for another stage");
        let stack = lab.status("stack-deploy").unwrap();
        let expected = Annotation { path: "secrets.yml".to_owned(), line, message: sentence };
        assert_eq!(stack.annotations, [expected]);
        assert!(stack.functions.iter().all(|function| function.title == "not tried"));
    }
    let (mut lab, keeper) = secrets_only().await;
    keeper.refuses(StatusCode::CONFLICT, "the secret db is kept for the repository alice/other");
    assert_eq!(lab.refused().await, "secrets.yml: the secret db is kept for the repository alice/other");
    assert_eq!(lab.status("stack-deploy").unwrap().annotations[0].line, 1);
}

#[tokio::test]
async fn what_import_secrets_cannot_do_now_is_tried_again() {
    for (status, text) in [
        (StatusCode::SERVICE_UNAVAILABLE, "another message is at work"),
        (StatusCode::BAD_GATEWAY, "the gateway is busy"),
        (StatusCode::TOO_MANY_REQUESTS, ""),
        (StatusCode::OK, "<html>"),
    ] {
        let (mut lab, keeper) = two().await;
        lab.write("secrets.yml", "a\n");
        keeper.has("db", "v1");
        keeper.refuses(status, text);
        assert_eq!(lab.push().await.0, StatusCode::BAD_GATEWAY, "{status}");
        let stack = lab.status("stack-deploy").unwrap();
        assert!(stack.title.starts_with("secrets: ") && stack.title.ends_with("; it will be tried again"));
        assert!(stack.annotations.is_empty() && lab.orders().is_empty());
        let (status, answer) = lab.push().await;
        assert_eq!(status, StatusCode::OK);
        assert!(answer.ends_with("(2 built); imported 1 secret (1 key)"), "{answer}");
    }
    let (mut lab, keeper) = two().await;
    keeper.refuses(StatusCode::UNAUTHORIZED, "the signature is not one");
    assert_eq!(lab.push().await.0, StatusCode::UNPROCESSABLE_ENTITY, "a wrong signature does not become right");
}

#[tokio::test]
async fn a_secret_that_is_removed_in_use_is_a_failure_that_names_who_has_it() {
    let (mut lab, keeper) = secrets_only().await;
    keeper.is_in_use("db", "alice-greet");
    let (status, answer) = lab.push().await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let sentence = "deploy failed: the secret db was removed from the file and is still mounted by alice-greet: remove it from 'secrets' in their stack.yml first, or put it back";
    assert_eq!(answer, sentence);
    let stack = lab.status("stack-deploy").unwrap();
    assert_eq!((stack.state, stack.title.as_str()), (State::Failure, sentence));
    let pinned = |event: PushEvent| PushEvent { pinned: true, ..event };
    let old = pinned(lab.event(stack.sha.as_str()));
    assert_eq!(lab.run(&old).await.1, sentence, "it is the head, by whatever it was asked for");
    lab.commit();
    assert_eq!(lab.run(&old).await.0, StatusCode::OK, "what is no longer the head removes nothing");
}

#[tokio::test]
async fn without_import_secrets_a_file_is_refused_and_secrets_are_mounted_as_they_are() {
    let (mut lab, _keeper) = two().await;
    lab.gateway.answer_with("import-secrets", |_| (StatusCode::NOT_FOUND, String::new()));
    let (_, answer) = lab.push().await;
    assert!(answer.ends_with("(2 built)"), "{answer}");
    assert_eq!(kinds(&lab), ["import nothing"]);
    assert!(lab.orders()[1].order.settings.mounted.is_empty());
    lab.write("secrets.yml", "a\n");
    let (status, answer) = lab.push().await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let sentence = "secrets.yml: this platform keeps no sealed secrets, for it has no import-secrets: ask its operator";
    assert_eq!(answer, sentence);
}

#[tokio::test]
async fn a_push_that_is_superseded_imports_nothing() {
    let (mut lab, _keeper) = secrets_only().await;
    let old = lab.commit();
    lab.write("secrets.yml", "newer\n");
    lab.commit();
    assert!(lab.run(&old).await.1.starts_with("superseded by "));
    assert!(asked(&lab).is_empty());

    // One that waits for its turn while a newer one is announced.
    let (mut lab, _keeper) = two().await;
    lab.write("secrets.yml", "a\n");
    let gate = Gate::before(&mut lab, "import-secrets").await;
    let (first, router, gateway) = (lab.commit(), lab.router(), lab.gateway.clone());
    let start = |event: &PushEvent| {
        let (router, gateway, event) = (router.clone(), gateway.clone(), event.clone());
        tokio::spawn(async move { run(router, &gateway, &event).await })
    };
    let running = start(&first);
    gate.one_arrives().await;
    lab.write("secrets.yml", "b\n");
    let second = lab.commit();
    let waiting = start(&second);
    let limited = tokio::time::timeout(std::time::Duration::from_millis(300), run(router.clone(), &gateway, &second));
    assert!(limited.await.is_err(), "one run at a time");
    lab.write("secrets.yml", "c\n");
    let third = lab.commit();
    let last = start(&third);
    gate.leave.add_permits(100);
    assert!(waiting.await.unwrap().1.starts_with("superseded by "));
    running.await.unwrap();
    last.await.unwrap();
    let files: Vec<String> = asked(&lab)
        .into_iter()
        .filter_map(|request| match request {
            SecretsRequest::Import(import) => Some(import.file?.text),
            _ => None,
        })
        .collect();
    assert!(
        files.first().is_some_and(|text| text == "a\n") && files.last().is_some_and(|text| text == "c\n"),
        "{files:?}"
    );
    assert!(!files.contains(&"b\n".to_owned()), "{files:?}");
}

#[tokio::test]
async fn an_older_commit_that_is_asked_for_brings_no_old_secrets_back() {
    let (mut lab, keeper) = two().await;
    keeper.has("db", "v2");
    lab.write("secrets.yml", "old\n");
    let old = lab.commit();
    lab.write("secrets.yml", "new\n");
    let head = lab.commit();
    let pinned = |event: &PushEvent| PushEvent { pinned: true, ..event.clone() };
    let (status, answer) = lab.run(&pinned(&old)).await;
    assert!(status == StatusCode::OK && answer.ends_with("(2 built)"), "{answer}");
    assert_eq!(kinds(&lab), ["look", "prune"]);
    assert_eq!(lab.orders()[1].order.settings.mounted[&"db".parse().unwrap()].version, "v2", "the secret as it is now");

    // The head holds, by whatever it was asked for; another branch does not.
    assert!(lab.run(&pinned(&head)).await.1.ends_with("imported 1 secret (1 key)"));
    let SecretsRequest::Import(import) = asked(&lab).remove(2) else { panic!("an import") };
    assert!(!import.event.pinned && import.file.unwrap().text == "new\n");
    let branch = PushEvent { default_branch: "live".to_owned(), ..pinned(&head) };
    assert!(lab.run(&branch).await.0.is_success());
    lab.set("build_branch", "main");
    assert!(lab.run(&branch).await.1.ends_with("imported 1 secret (1 key)"));
    lab.set("build_branch", "live");
    assert!(lab.run(&pinned(&head)).await.0.is_success());
    assert_eq!(kinds(&lab)[4..], ["look", "prune", "import a file", "prune", "look", "prune"]);
}

#[tokio::test]
async fn an_older_commit_without_secrets_takes_none_away() {
    let mut lab = Lab::new().await;
    let _keeper = Keeper::start(&lab);
    let old = PushEvent { pinned: true, ..lab.commit() };
    lab.write("secrets.yml", "a\n");
    lab.commit();
    assert_eq!(lab.run(&old).await.0, StatusCode::OK);
    assert!(asked(&lab).is_empty());

    let (mut lab, _keeper) = secrets_only().await;
    let old = PushEvent { pinned: true, ..lab.commit() };
    lab.commit();
    let (status, answer) = lab.run(&old).await;
    assert_eq!(status, StatusCode::OK);
    let sentence =
        "there are only sealed secrets in this commit, and those of the branch's head hold: nothing to deploy";
    assert_eq!(answer, sentence);
    assert_eq!(lab.status("stack-deploy").unwrap().state, State::Neutral);
}

#[tokio::test]
async fn a_pinned_commit_whose_secret_is_missing_has_to_be_asked_for_again() {
    let (mut lab, _keeper) = two().await;
    let old = PushEvent { pinned: true, ..lab.commit() };
    lab.commit();
    assert!(lab.run(&old).await.1.ends_with("(ofc seal --name db); then ask for this commit again"));
}

#[tokio::test]
async fn no_value_of_a_sealed_file_is_told_to_anybody_else() {
    let (mut lab, keeper) = two().await;
    keeper.has("db", "v1");
    lab.write("secrets.yml", "AgBsealedvalue\n");
    lab.push().await;
    for function in ["github-status", "audit-event", "buildshiprun", "garbage-collect"] {
        let told = |message: &Message| String::from_utf8_lossy(&message.body).contains("AgBsealedvalue");
        assert!(!lab.gateway.messages(function).iter().any(told), "{function}");
    }
}

#[tokio::test]
async fn what_a_build_may_mount_is_sealed_for_the_builder_when_it_is_built() {
    let (mut lab, keeper) = two().await;
    lab.write("stack.yml", &format!("{STACK}    build_secrets: {{npm_token: npm/token}}\n"));
    let (_, answer) = lab.push().await;
    let waits = "deploy failed: hello: waits for the secret npm: ";
    assert!(answer.starts_with(waits), "it comes again when that arrives: {answer}");
    keeper.has("npm", "v1");
    assert!(lab.push().await.1.ends_with("(1 built)"));
    let order = &lab.orders()[0];
    assert_eq!(order.files["com.openfaas.secrets"], "npm_token: sealed\n");
    assert!(order.order.settings.mounted.is_empty() && order.order.settings.secrets.is_empty(), "it is not mounted");
    let wish = asked(&lab).into_iter().find_map(|request| match request {
        SecretsRequest::SealForBuild(wish) => Some(wish),
        _ => None,
    });
    let wanted = &wish.unwrap().wanted["npm_token"];
    assert_eq!((wanted.secret.as_str(), wanted.key.as_deref()), ("npm", Some("token")));
    lab.deploy_orders();
    let before = asked(&lab).len();
    keeper.has("npm", "v2");
    assert!(lab.push().await.1.ends_with("(1 unchanged)"), "what is built is built");
    assert_eq!(kinds(&lab)[before..], ["import nothing", "prune"]);

    lab.write("hello/handler.py", "changed");
    lab.gateway.refuse_after(
        1,
        "POST /function/import-secrets",
        StatusCode::UNPROCESSABLE_ENTITY,
        "the secret npm has no key token",
    );
    let (status, answer) = lab.push().await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer, "deploy failed: hello: secrets: the secret npm has no key token");
    assert_eq!(lab.status("hello").unwrap().annotations[0].line, 5);
    lab.gateway.refuse_after(1, "POST /function/import-secrets", StatusCode::BAD_GATEWAY, "the builder is away");
    assert_eq!(lab.push().await.0, StatusCode::BAD_GATEWAY);
    lab.gateway.answer_with("import-secrets", |_| (StatusCode::NOT_FOUND, String::new()));
    assert!(lab.push().await.1.contains("'build_secrets' cannot be used on this platform"));
}
