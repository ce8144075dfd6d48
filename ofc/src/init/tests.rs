use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use super::*;

/// Every file below a folder with its mode and content.
fn files(folder: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut all = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(at) = open.pop() {
        for entry in std::fs::read_dir(&at).unwrap() {
            let path = entry.unwrap().path();
            let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            if path.is_dir() {
                all.insert(path.display().to_string(), (mode, Vec::new()));
                open.push(path);
            } else {
                all.insert(path.display().to_string(), (mode, std::fs::read(&path).unwrap()));
            }
        }
    }
    all
}

async fn init(path: PathBuf, from: Vec<PathBuf>, given: Given) -> anyhow::Result<Done> {
    let options = Options { path, from, given, output: None, app_port: 0 };
    let mut show = |_: &str| panic!("nobody is there");
    run(&options, &mut Ask::Nobody, &mut show).await
}

fn expect_closed(folder: &Path, all: &BTreeMap<String, (u32, Vec<u8>)>, said: &str) {
    let inside = |path: &&String| path.contains("/secrets/") || path.contains("/sealing-keys/");
    for path in all.keys().filter(inside) {
        let (mode, content) = &all[path];
        assert_eq!(*mode, 0o600, "{path}");
        let text = String::from_utf8_lossy(content);
        let secret = text.trim();
        assert!(secret == "admin" || !said.contains(secret), "{path} is shown");
    }
    for (path, (mode, _)) in all.iter().filter(|(path, _)| path.ends_with("/secrets")) {
        assert_eq!(*mode, 0o700, "{path}");
    }
    assert!(all.keys().any(|path| path.ends_with("payload-secret")), "{}", folder.display());
}

#[tokio::test]
async fn a_second_run_changes_nothing_and_says_so() {
    for target in [Target::Up, Target::Systemd] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ofc.yml");
        let text = format!("domain: localhost\ntarget: {target}\ndata: data\n");
        std::fs::write(&path, text).unwrap();
        let first = init(path.clone(), Vec::new(), Given::default()).await.unwrap();
        assert!(first.text.contains("made ") && !first.text.contains("Nothing was changed"), "{}", first.text);
        let before = files(folder.path());
        expect_closed(folder.path(), &before, &first.text);
        let second = init(path, Vec::new(), Given::default()).await.unwrap();
        assert!(second.text.contains("Nothing was changed"), "{}", second.text);
        assert_eq!(files(folder.path()), before);
    }
}

#[tokio::test]
async fn without_a_word_it_is_for_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ofc.yml");
    let done = init(path.clone(), Vec::new(), Given::default()).await.unwrap();
    assert_eq!((done.config.domain.as_str(), &done.config.source), ("localhost", &Source::Local));
    assert!(done.text.contains("ofc up --config"), "{}", done.text);
    let other = Given { target: Some(Target::Systemd), domain: None };
    let error = init(path.clone(), Vec::new(), other).await.unwrap_err();
    assert!(error.to_string().contains("has the target up"), "{error}");
    let error = init(path, vec!["init.yaml".into()], Given::default()).await.unwrap_err();
    assert!(error.to_string().contains("is there already"), "{error}");
}

#[tokio::test]
async fn a_plan_of_ofc_bootstrap_becomes_an_installation_that_keeps_its_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let plan = folder.path().join("init.yaml");
    let text = "root_domain: example.com\nregistry: ghcr.io/acme/\nscm: gitlab\ncustomers_secret: true\nsecrets:\n\
                - {name: payload-secret, literals: [{name: payload-secret, value: kept-payload}]}\n\
                - {name: gitlab-api-token, literals: [{name: gitlab-api-token, value: glpat-kept}]}\n\
                - {name: of-customers, files: [{name: of-customers, value_from: list}]}\n\
                s3: {s3_url: 'minio:9000', s3_bucket: pipeline}\nenable_ecr: true\n";
    std::fs::write(&plan, text).unwrap();
    std::fs::write(folder.path().join("list"), "alice\n").unwrap();
    let path = folder.path().join("ofc.yml");
    let done = init(path.clone(), vec![plan], Given::default()).await.unwrap();
    assert_eq!(done.config.target, Target::Kubernetes);
    assert!(done.text.contains("not taken over: enable_ecr"), "{}", done.text);
    assert!(done.text.contains("s3-access-key: of a user"), "{}", done.text);
    assert!(done.text.contains("gitlab-event"), "{}", done.text);
    let secrets = Secrets::existing(done.config.secrets());
    assert_eq!(secrets.get("payload-secret").unwrap().expose_secret(), "kept-payload");
    assert_eq!(secrets.get("gitlab-api-token").unwrap().expose_secret(), "glpat-kept");
    let before = files(folder.path());
    expect_closed(folder.path(), &before, &done.text);
    let again = init(path, Vec::new(), Given::default()).await.unwrap();
    assert!(again.text.contains("Nothing was changed"), "{}", again.text);
    assert_eq!(files(folder.path()), before);
}

#[tokio::test]
async fn what_cannot_be_used_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ofc.yml");
    let given = Given { domain: Some("-bad-".into()), target: None };
    assert!(init(path.clone(), Vec::new(), given).await.is_err());
    // In a cluster there has to be a registry, and nobody says which.
    let given = Given { domain: Some("example.com".into()), target: Some(Target::Kubernetes) };
    assert!(init(path.clone(), Vec::new(), given).await.is_err());
    assert!(!path.exists());
    std::fs::write(&path, "domain: a.io\ndata: file\n").unwrap();
    std::fs::write(folder.path().join("file"), "x").unwrap();
    let error = crate::report::render(&init(path, Vec::new(), Given::default()).await.unwrap_err());
    assert!(error.contains("cannot be made") && error.contains("`data` in ofc.yml"), "{error}");
}
