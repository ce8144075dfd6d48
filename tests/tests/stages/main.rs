//! Staging and production as two installations: one repository with code, one with secrets for each, one registry for both.
//! `docs/multi-stage.md` is this walk in words.
#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod backup;
mod keys;
mod walk;

use std::path::{Path, PathBuf};

use end_to_end::{Platform, Pushed, Registry, Repository, options};
use reqwest::Method;

/// One installation.
struct Stage {
    platform: Platform,
    /// Its name, which is its branch's and its remotes' too.
    name: &'static str,
    folder: tempfile::TempDir,
}

impl Stage {
    fn start(name: &'static str, registry: Option<&Registry>) -> Self {
        let mut options = options!().argument("--domain").argument(&format!("{name}.localhost"));
        options = options.argument("--build-branch").argument(name);
        if let Some(registry) = registry {
            options = options.argument("--registry").argument(&registry.prefix("shared"));
        }
        Self { platform: Platform::start(options), name, folder: tempfile::tempdir().unwrap() }
    }

    /// Its certificate, from an address that everybody may read.
    fn certificate(&self, path: &str) -> PathBuf {
        let answer = self.platform.send(self.platform.to_router(Method::GET, &self.platform.host("system"), path));
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert!(answer.text.starts_with("-----BEGIN CERTIFICATE-----") && !answer.text.contains("PRIVATE"));
        let file = self.folder.path().join("certificate.pem");
        std::fs::write(&file, answer.text).unwrap();
        file
    }

    /// A repository with nothing but secrets, committed.
    fn secrets(&self, owner: &str, password: &str) -> Repository {
        let repository = Repository::new(owner, &format!("{}-secrets", self.name));
        self.seal(&repository, &self.certificate("/v1/cert.pem"), password);
        repository.commit("Seal");
        repository
    }

    /// Seals a secret `mongo` with two keys, as people do.
    fn seal(&self, repository: &Repository, certificate: &Path, password: &str) {
        let (owner, file) = (repository.owner(), certificate.to_str().unwrap());
        let password = format!("mongo-password={password}");
        let arguments = ["seal", "--owner", owner, "--name", "mongo", "--literal", "mongo-username=alexellis"];
        let arguments = [&arguments[..], &["--literal", password.as_str()]].concat();
        let arguments = [&arguments[..], &["--cert", file, "--output-file", "secrets.yaml"]].concat();
        let output = self.platform.ofc(&arguments, Some(repository.folder()));
        assert!(output.status.success(), "ofc seal: {}", String::from_utf8_lossy(&output.stderr));
        let text = std::fs::read_to_string(repository.folder().join("secrets.yaml")).unwrap();
        assert!(!text.contains("alexellis"), "values are sealed");
    }

    fn push(&self, repository: &Repository) -> Pushed {
        repository.push_to(&self.platform, self.name, self.name)
    }

    /// What the function of a test reads from its secret.
    fn password(&self, owner: &str) -> String {
        self.platform.get(owner, "/payment/secret/mongo-password").text
    }
}

/// A repository with a function `payment` that mounts the secret.
fn payment_service(owner: &str) -> Repository {
    let repository = Repository::new(owner, "payment-service");
    repository.stack(&[("payment", "secrets: [mongo]")]);
    repository.function("payment", "paid");
    repository.commit("Begin");
    repository
}

fn ofc(platform: &Platform, arguments: &[&str]) -> String {
    let output = platform.ofc(arguments, None);
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "ofc {arguments:?}: {out}{error}");
    out.into_owned()
}
