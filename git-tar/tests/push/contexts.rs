//! What of a repository gets into a function's image.

use crate::lab::{Lab, STACK};

#[tokio::test]
async fn s17_the_whole_repository_as_handler_has_no_git_in_it() {
    let mut lab = Lab::new().await;
    lab.write("stack.yml", &STACK.replace("./hello", "./"));
    lab.write("build/hello/x", "left out");
    lab.write("template/own/Dockerfile", "left out");
    lab.push().await;
    let orders = lab.orders();
    let own: Vec<&str> = orders[0]
        .paths
        .iter()
        .filter_map(|path| path.strip_prefix("context/function/"))
        .filter(|path| !path.is_empty())
        .collect();
    assert_eq!(own, ["hello/", "hello/handler.py", "stack.yml"]);
}

#[tokio::test]
async fn links_inside_give_content_and_modes_are_normal() {
    let mut lab = Lab::new().await;
    lab.write("shared/lib.sh", "#!/bin/sh\n");
    let script = lab.repository("alice/app.git").join("shared/lib.sh");
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    lab.link("../shared/lib.sh", "hello/lib.sh");
    lab.push().await;
    let body = lab.gateway.messages("buildshiprun")[0].body.clone();
    let mut modes = Vec::new();
    for entry in tar::Archive::new(&body[..]).entries().unwrap() {
        let entry = entry.unwrap();
        assert!(!entry.header().entry_type().is_symlink());
        modes.push((entry.path().unwrap().display().to_string(), entry.header().mode().unwrap()));
    }
    assert!(modes.contains(&("context/function/lib.sh".to_owned(), 0o755)), "{modes:?}");
    assert!(modes.contains(&("context/function/handler.py".to_owned(), 0o644)), "{modes:?}");
}

#[tokio::test]
async fn copies_and_own_dockerfiles() {
    let mut lab = Lab::new().await;
    lab.set("enable_dockerfile_lang", "true");
    lab.set("push_repository_url", "registry:5000/cloud/");
    lab.write("stack.yml", "provider: {name: openfaas}\nfunctions:\n  df: {lang: dockerfile, handler: df, build_args: {MODE: fast}}\nconfiguration:\n  copy: [sdk]\n");
    lab.write("df/Dockerfile", "FROM scratch\n");
    lab.write("sdk/lib.rs", "x");
    lab.push().await;
    let orders = lab.orders();
    assert!(orders[0].paths.contains(&"context/sdk/lib.rs".to_owned()), "{:?}", orders[0].paths);
    let config: serde_json::Value = serde_json::from_str(&orders[0].files["com.openfaas.docker.config"]).unwrap();
    assert_eq!(config["buildArgs"]["MODE"], "fast");
    assert!(config["image"].as_str().unwrap().starts_with("registry:5000/cloud/alice/app-df:"), "{config}");
}

#[tokio::test]
async fn a_repository_s_own_templates_need_the_dockerfile_switch() {
    let mut lab = Lab::new().await;
    lab.write("stack.yml", &STACK.replace("lang: py", "lang: mine"));
    lab.write("template/mine/Dockerfile", "FROM scratch\n");
    assert!(lab.refused().await.contains("there is no template 'mine'"));
    lab.set("enable_dockerfile_lang", "true");
    let (_, answer) = lab.push().await;
    assert!(answer.ends_with("(1 built)"), "{answer}");
}
