//! Templates from the operator's git repositories.

use http::StatusCode;

use crate::git_server::{GitServer, Manners};
use crate::lab::{Lab, STACK, commit, git, write};

/// A template repository with `ruby`, and the lab that lists it.
async fn lab() -> Lab {
    let mut lab = Lab::new().await;
    lab.init("templates/ruby.git");
    let folder = lab.repository("templates/ruby.git");
    write(&folder, "template/ruby/Dockerfile", "FROM scratch\n");
    write(&folder, "template/ruby/template.yml", "fprocess: ruby one\nhandler_folder: src\n");
    commit(&folder);
    git(&folder, &["tag", "-a", "v1", "-m", "v1"]);
    lab.set("custom_templates", format!("{}/templates/ruby.git", lab.git.url));
    lab.write("stack.yml", &STACK.replace("lang: py", "lang: ruby"));
    lab
}

fn process(lab: &Lab) -> String {
    lab.orders().last().unwrap().order.settings.env_process.clone().unwrap()
}

#[tokio::test]
async fn are_fetched_once_and_used() {
    let mut lab = lab().await;
    assert_eq!(lab.push().await.0, StatusCode::OK);
    assert_eq!(process(&lab), "ruby one");
    assert!(lab.orders()[0].paths.contains(&"context/src/handler.py".to_owned()));
    let first = lab.git.requests();
    lab.push().await;
    assert_eq!(lab.git.requests() - first, 2, "the templates are known: only the repository is read");
    lab.nothing_left();
}

#[tokio::test]
async fn are_not_asked_for_when_no_function_needs_them() {
    let mut lab = lab().await;
    lab.write("stack.yml", STACK);
    lab.push().await;
    assert!(lab.git.headers().iter().all(|(path, _)| path.starts_with("/alice/")));
}

#[tokio::test]
async fn are_refreshed_and_survive_a_restart() {
    let mut lab = lab().await;
    lab.set("template_refresh", "0s");
    lab.push().await;
    let folder = lab.repository("templates/ruby.git");
    write(&folder, "template/ruby/template.yml", "fprocess: ruby two\n");
    commit(&folder);
    lab.push().await;
    assert_eq!(process(&lab), "ruby two");
    let before = lab.git.requests();
    lab.set("template_refresh", "10m");
    lab.push().await;
    assert_eq!(lab.git.requests() - before, 3, "after a restart only the head is asked for");
}

#[tokio::test]
async fn the_known_state_is_used_while_their_host_is_down() {
    let mut lab = lab().await;
    let host = GitServer::start(&lab.dir.path().join("git")).await;
    lab.set("custom_templates", format!("{}/templates/ruby.git", host.url));
    lab.set("template_refresh", "0s");
    host.behave(Manners { status: Some(StatusCode::SERVICE_UNAVAILABLE), ..Manners::default() });
    let (status, answer) = lab.push().await;
    assert_eq!(status, StatusCode::BAD_GATEWAY, "nothing is known yet: {answer}");
    host.behave(Manners::default());
    assert_eq!(lab.push().await.0, StatusCode::OK);
    host.behave(Manners { status: Some(StatusCode::SERVICE_UNAVAILABLE), ..Manners::default() });
    assert_eq!(lab.push().await.0, StatusCode::OK);
}

#[tokio::test]
async fn may_be_asked_for_at_a_tag_or_commit() {
    let mut lab = lab().await;
    let folder = lab.repository("templates/ruby.git");
    let first = git(&folder, &["rev-parse", "HEAD"]).trim().to_owned();
    write(&folder, "template/ruby/template.yml", "fprocess: ruby two\n");
    commit(&folder);
    for lang in ["ruby@v1".to_owned(), format!("ruby@sha-{first}")] {
        lab.write("stack.yml", &STACK.replace("lang: py", &format!("lang: {lang}")));
        lab.push().await;
        assert_eq!(process(&lab), "ruby one", "{lang}");
    }
    for (lang, says) in
        [("ruby@v9", "there is no template 'ruby@v9'"), ("ruby@sha-abc", "there is no template 'ruby@sha-abc'")]
    {
        lab.write("stack.yml", &STACK.replace("lang: py", &format!("lang: {lang}")));
        let (status, answer) = lab.push().await;
        assert!(status == StatusCode::UNPROCESSABLE_ENTITY && answer.contains(says), "{answer}");
    }
}

#[tokio::test]
async fn of_unknown_repositories_are_refused() {
    let mut lab = lab().await;
    let head = lab.git.requests();
    let named = |source: &str| format!("{STACK}configuration:\n  templates:\n  - name: ruby\n    source: {source}\n");
    lab.write("stack.yml", &named("https://evil.example/templates"));
    let sentence = lab.refused().await;
    assert_eq!(
        sentence,
        "configuration.templates: https://evil.example/templates is not a template repository of this platform: ask its operator to add it to custom_templates"
    );
    assert_eq!(lab.git.requests() - head, 2);
    lab.write("stack.yml", &named(&format!("{}/templates/ruby#v1", lab.git.url)));
    assert!(lab.refused().await.contains("write 'lang: ruby@v1'"));
    lab.write("stack.yml", &named(&format!("{}/templates/ruby", lab.git.url)).replace("lang: py", "lang: ruby"));
    assert_eq!(lab.push().await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_changed_template_builds_its_functions_again_and_no_others() {
    let mut lab = lab().await;
    lab.write("stack.yml", &format!("{STACK}  two:\n    lang: ruby\n    handler: hello\n"));
    lab.set("template_refresh", "0s");
    lab.push().await;
    lab.deploy_orders();
    let folder = lab.repository("templates/ruby.git");
    write(&folder, "README.md", "moves the commit, not the template");
    commit(&folder);
    assert!(lab.push().await.1.ends_with("(2 unchanged)"));
    write(&folder, "template/ruby/index.rb", "puts 1\n");
    commit(&folder);
    assert!(lab.push().await.1.ends_with("(1 built, 1 unchanged)"));
}
