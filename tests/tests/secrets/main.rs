//! Sealed secrets from `ofc seal` to a function that reads them, under a whole platform.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what fails in a helper fails the test")]

mod build;
mod change;
mod missing;
mod refused;
mod removal;

use std::path::Path;

use end_to_end::{Platform, Repository};
use reqwest::Method;

/// The certificate of a platform, as everybody may fetch it.
fn certificate(platform: &Platform, into: &Path) -> String {
    let answer = platform.send(platform.to_router(Method::GET, "system.localhost", "/v1/cert.pem"));
    assert_eq!(answer.status, 200, "{}", answer.text);
    let file = into.join("certificate.pem");
    std::fs::write(&file, answer.text).unwrap();
    file.to_str().unwrap().to_owned()
}

/// Puts a secret into a repository's file, sealed for a platform.
fn seal(platform: &Platform, repository: &Repository, secret: &str, values: &[(&str, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    let certificate = certificate(platform, folder.path());
    let values: Vec<String> = values.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let mut arguments = vec!["seal", "--owner", repository.owner(), "--name", secret, "--cert", &certificate];
    arguments.extend(values.iter().flat_map(|value| ["--literal", value]));
    let output = platform.ofc(&arguments, Some(repository.folder()));
    assert!(output.status.success(), "ofc seal: {}", String::from_utf8_lossy(&output.stderr));
}

/// A repository with nothing but secrets, committed and imported.
fn secrets_of(platform: &Platform, owner: &str, values: &[(&str, &str)]) -> Repository {
    let repository = Repository::new(owner, "secrets");
    seal(platform, &repository, "db", values);
    let pushed = repository.commit_and_push(platform);
    assert!(pushed.ok && pushed.says("imported 1 secret ("), "{pushed}");
    repository
}

/// A repository with a function `reader` that mounts the secret `db`, and one `plain` that does not; committed.
fn app_of(owner: &str) -> Repository {
    let repository = Repository::new(owner, "app");
    repository.stack(&[("reader", "secrets: [db]"), ("plain", "")]);
    repository.function("reader", "reads");
    repository.function("plain", "plain");
    repository.commit("Begin");
    repository
}

/// The names of the gateway's secrets.
fn secret_names(platform: &Platform) -> Vec<String> {
    let listed = platform.send(platform.to_gateway(Method::GET, "/system/secrets")).json();
    let names = listed.as_array().expect("a list").iter();
    names.map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}
