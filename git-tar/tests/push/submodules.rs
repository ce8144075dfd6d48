//! Submodules: off, unless they are allowed, and then only the owner's own.

use http::StatusCode;

use crate::lab::{Lab, STACK, commit, git, write};

/// A lab whose function needs the submodule `lib`, which is at `url`; the repository alice/lib is there.
async fn lab(url: &str) -> Lab {
    let lab = Lab::new().await;
    lab.init("alice/lib.git");
    write(&lab.repository("alice/lib.git"), "fn/code.py", "from a submodule");
    let module = commit(&lab.repository("alice/lib.git"));
    lab.write("stack.yml", &STACK.replace("./hello", "./lib/fn"));
    lab.write(".gitmodules", &format!("[submodule \"lib\"]\n\tpath = lib\n\turl = {url}\n"));
    lab.commit();
    name_module(&lab, "lib", &module);
    lab
}

fn name_module(lab: &Lab, path: &str, commit: &str) {
    let repository = lab.repository("alice/app.git");
    git(&repository, &["update-index", "--add", "--cacheinfo", &format!("160000,{commit},{path}")]);
    git(&repository, &["commit", "--quiet", "-m", "a submodule"]);
}

fn head(lab: &Lab) -> sdk::event::PushEvent {
    lab.event(git(&lab.repository("alice/app.git"), &["rev-parse", "HEAD"]).trim())
}

#[tokio::test]
async fn are_not_fetched_unless_that_is_allowed() {
    let mut lab = lab("../lib.git").await;
    let event = head(&lab);
    let sentence = lab.refused_event(&event).await;
    assert!(sentence.starts_with("hello: 'lib' is a submodule, which is not fetched: put its files"), "{sentence}");
    assert!(sentence.contains("allow_submodules"));
    let annotations = lab.status("stack-deploy").unwrap().annotations;
    assert_eq!((annotations[0].path.as_str(), annotations[0].line), ("stack.yml", 5));
    assert!(lab.git.headers().iter().all(|(path, _)| !path.contains("lib")));
}

#[tokio::test]
async fn of_the_same_owner_are_fetched_where_that_is_allowed() {
    let mut lab = lab("../lib.git").await;
    lab.set("allow_submodules", "true");
    let event = head(&lab);
    let (status, answer) = lab.run(&event).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(lab.orders()[0].files["context/function/code.py"], "from a submodule");
    lab.nothing_left();
    lab.deploy_orders();
    assert!(lab.run(&event).await.1.ends_with("(1 unchanged)"));
    let whole = STACK.replace("./hello", "./");
    lab.write("stack.yml", &whole);
    git(&lab.repository("alice/app.git"), &["add", "stack.yml"]);
    git(&lab.repository("alice/app.git"), &["commit", "--quiet", "-m", "x"]);
    let event = head(&lab);
    assert_eq!(lab.run(&event).await.0, StatusCode::OK);
    assert!(lab.orders()[1].paths.contains(&"context/function/lib/fn/code.py".to_owned()));
}

#[tokio::test]
async fn that_no_function_needs_are_left_alone() {
    let mut lab = lab("https://evil.example/x.git").await;
    lab.set("allow_submodules", "true");
    lab.write("stack.yml", STACK);
    git(&lab.repository("alice/app.git"), &["add", "stack.yml"]);
    git(&lab.repository("alice/app.git"), &["commit", "--quiet", "-m", "x"]);
    let event = head(&lab);
    let (status, answer) = lab.run(&event).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(lab.git.requests(), 2);
}

#[tokio::test]
async fn of_others_are_refused_with_their_line() {
    for url in ["https://evil.example/alice/lib.git", "../../bob/lib.git", "git@git.localhost:alice/lib.git"] {
        let mut lab = lab(url).await;
        lab.set("allow_submodules", "true");
        let event = head(&lab);
        let sentence = lab.refused_event(&event).await;
        assert!(sentence.starts_with(".gitmodules: the submodule 'lib' "), "{sentence}");
        let annotations = lab.status("stack-deploy").unwrap().annotations;
        assert_eq!((annotations[0].path.as_str(), annotations[0].line), (".gitmodules", 3));
        assert!(lab.git.headers().iter().all(|(path, _)| path.starts_with("/alice/app.git/")));
    }
}

#[tokio::test]
async fn that_cannot_be_fetched_or_are_too_many_say_so() {
    let mut lab = lab("../nowhere.git").await;
    lab.set("allow_submodules", "true");
    let event = head(&lab);
    let sentence = lab.refused_event(&event).await;
    assert!(sentence.starts_with(".gitmodules: the submodule 'lib' (alice/nowhere) at "), "{sentence}");
    assert!(sentence.ends_with("the git host answered 404 Not Found"), "{sentence}");

    let many: String = (0..11).map(|n| format!("[submodule \"{n}\"]\npath = lib/{n}\nurl = ../lib.git\n")).collect();
    lab.write(".gitmodules", &many);
    git(&lab.repository("alice/app.git"), &["add", ".gitmodules"]);
    git(&lab.repository("alice/app.git"), &["commit", "--quiet", "-m", "x"]);
    lab.write("stack.yml", &STACK.replace("./hello", "./"));
    git(&lab.repository("alice/app.git"), &["commit", "--quiet", "-am", "x"]);
    let event = head(&lab);
    assert_eq!(lab.refused_event(&event).await, ".gitmodules: the functions need 11 submodules and may need 10");
}

#[tokio::test]
async fn inside_submodules_are_never_fetched() {
    let mut lab = lab("../lib.git").await;
    lab.set("allow_submodules", "true");
    let library = lab.repository("alice/lib.git");
    git(&library, &["update-index", "--add", "--cacheinfo", &format!("160000,{},fn/deeper", "1".repeat(40))]);
    git(&library, &["commit", "--quiet", "-m", "x"]);
    name_module(&lab, "lib", git(&library, &["rev-parse", "HEAD"]).trim());
    let event = head(&lab);
    assert!(lab.refused_event(&event).await.starts_with("hello: 'lib/fn/deeper' is a submodule"));
}
