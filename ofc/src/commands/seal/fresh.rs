//! `ofc seal --name NAME`: values in, a document out.

use std::path::{Path, PathBuf};

use clap::Args;
use sealed_secrets::documents::{self, Limits};
use sealed_secrets::{SealedSecret, seal};
use secrecy::ExposeSecret;

use super::short;
use crate::locate::Which;
use crate::report::Trouble;
use crate::seal::certificate::{self, Target};
use crate::seal::owner::{self, Names};
use crate::seal::values::{Sources, Values};
use crate::seal::{USUAL_FILE, USUAL_NAMESPACE, file};
use crate::terminal::{STRONG, WARNING, print};

/// Standard output in place of a file.
const STDOUT: &str = "-";

#[derive(Debug, Args)]
pub(super) struct Fresh {
    /// The secret's name, as stack.yml has it
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Whose it is [default: the owner of the repository here, by its remote `ofc` or `origin`]
    #[arg(long, value_name = "LOGIN")]
    owner: Option<String>,
    #[command(flatten)]
    sources: Sources,
    /// The stage's certificate: a file, or an address like `https://system.example.com` [default: of the platform that runs
    /// here, else pub-cert.pem]
    #[arg(short, long, value_name = "FILE|URL")]
    cert: Option<String>,
    /// The namespace of the stage's functions
    #[arg(short, long, value_name = "NAMESPACE", default_value = USUAL_NAMESPACE)]
    namespace: String,
    /// Where the secret is added or replaced; - prints it
    #[arg(short, long, value_name = "FILE", default_value = USUAL_FILE)]
    output_file: PathBuf,
    /// Keep the keys that the secret has in the file, and add or replace these
    #[arg(long)]
    merge: bool,
    /// Of `faas-cli cloud seal`: nothing needs to be downloaded
    #[arg(long, hide = true)]
    download: bool,
    /// Of `faas-cli cloud seal`
    #[arg(long, hide = true, value_name = "FOLDER")]
    download_to: Option<PathBuf>,
    /// Of `faas-cli cloud seal`
    #[arg(long, hide = true, value_name = "VERSION")]
    download_version: Option<String>,
    #[command(flatten)]
    which: Which,
}

impl Fresh {
    pub(super) fn run(self) -> anyhow::Result<()> {
        if self.download || self.download_to.is_some() || self.download_version.is_some() {
            anstream::eprintln!("note: nothing is downloaded: ofc seals by itself");
            if self.name.is_none() {
                return Ok(());
            }
        }
        let here = std::env::current_dir()?;
        let names = self.names(&here)?;
        let existing = if self.prints() { String::new() } else { file::text(&self.output_file)? };
        // Nobody types a value for a file that cannot be edited, or for a certificate that is too old.
        let before = documents::parse(&existing, &Limits::default())
            .map_err(|cause| file::not_understood(&self.output_file, cause))?;
        let target = super::super::block_on(certificate::find(self.cert.as_deref(), &self.which, &here))?;
        for warning in warnings(&self.sources, &before, &names, &target) {
            anstream::eprintln!("{WARNING}warning:{WARNING:#} {warning}");
        }
        let values = self.sources.read(&mut std::io::stdin().lock())?;
        let old = before.iter().find(|old| old.name == names.sealed && old.namespace == self.namespace);
        let document = document(&target, &self.namespace, &names, &values, old.filter(|_| self.merge))?;
        let text =
            documents::put(&existing, &document).map_err(|cause| file::not_understood(&self.output_file, cause))?;
        if self.prints() {
            return Ok(print(&text)?);
        }
        file::write(&self.output_file, &text)?;
        Ok(print(&told(&document, &names, &target, &self.output_file, old.is_some()))?)
    }

    fn prints(&self) -> bool {
        self.output_file.as_os_str() == STDOUT
    }

    fn names(&self, here: &Path) -> anyhow::Result<Names> {
        let name = self.name.as_deref().ok_or_else(|| {
            Trouble::usage("what is the secret's name?").hint("for example: ofc seal --name db --prompt password")
        })?;
        match (owner::owner(self.owner.as_deref(), here), owner::whole(name)) {
            (Err(_), Some(whole)) if self.owner.is_none() => {
                anstream::eprintln!(
                    "note: {name} is taken for the whole name, with its owner's login; --owner LOGIN says whose it is"
                );
                Ok(whole)
            }
            (owner, _) => owner::names(&owner?, name),
        }
    }
}

/// What a user had better know before values are sealed.
fn warnings(sources: &Sources, before: &[SealedSecret], names: &Names, target: &Target) -> Vec<String> {
    let mut warnings = Vec::new();
    if !sources.literal.is_empty() {
        warnings.push(
            "your shell's history and everybody's list of processes have what --literal says; --prompt KEY asks, \
             --stdin KEY and --from-file read"
                .to_owned(),
        );
    }
    let elsewhere = before
        .iter()
        .find(|other| other.name != names.sealed && other.stage().is_some_and(|stage| stage != target.stage));
    if let Some(other) = elsewhere {
        let stage = super::plain(other.stage().unwrap_or_default());
        warnings.push(format!(
            "{} is sealed for {stage}, and this one for {}: a file is for one stage, or is refused by each",
            other.name, target.stage
        ));
    }
    warnings
}

/// The document: the values, and those of `old` that have other keys.
fn document(
    target: &Target,
    namespace: &str,
    names: &Names,
    values: &Values,
    old: Option<&SealedSecret>,
) -> anyhow::Result<SealedSecret> {
    let mut document = old.cloned().unwrap_or_default();
    document.name.clone_from(&names.sealed);
    document.namespace = namespace.to_owned();
    document.encrypted_data.retain(|key, _| !values.contains_key(key));
    let keeps = !document.encrypted_data.is_empty();
    if let Some(stage) = document.stage().filter(|stage| keeps && *stage != target.stage) {
        let stage = super::plain(stage);
        return Err(Trouble::usage(format!("the other keys of {} are sealed for {stage}", names.sealed))
            .hint("a secret is for one stage: leave --merge out and give all of its keys")
            .into());
    }
    // One that has keys of several certificates says nothing of any.
    let mixed = keeps && document.fingerprint() != Some(target.certificate.fingerprint());
    for (key, value) in values {
        let sealed = seal(&target.certificate, namespace, &names.sealed, value.expose_secret())
            .map_err(|cause| Trouble::new(format!("the value of {key} cannot be sealed")).because(cause))?;
        document.encrypted_data.insert(key.clone(), sealed);
    }
    document.set_stage(&target.stage);
    if mixed {
        document.annotations.remove(documents::FINGERPRINT_ANNOTATION);
    } else {
        document.set_fingerprint(target.certificate.fingerprint());
    }
    Ok(document)
}

fn told(document: &SealedSecret, names: &Names, target: &Target, file: &Path, replaced: bool) -> String {
    let keys: Vec<&str> = document.encrypted_data.keys().map(String::as_str).collect();
    let done = if replaced { "replaced in" } else { "added to" };
    let mut text = format!(
        "{STRONG}{}{STRONG:#} ({}) is {done} {}, sealed for {} (certificate {}…)\n",
        names.sealed,
        keys.join(", "),
        file.display(),
        target.stage,
        short(target.certificate.fingerprint())
    );
    if document.fingerprint().is_none() {
        text.push_str("The keys that were kept may be sealed to an older certificate: see `ofc seal rotate`.\n");
    }
    text.push_str(&format!("In stack.yml: secrets: [{}]\n", names.in_stack.as_str()));
    text
}

#[cfg(test)]
mod tests {
    use sealed_secrets::{Certificate, Keyring};

    use super::*;

    const PEM: &str = include_str!("../../../../sealed-secrets/tests/upstream/second.pem");

    fn target(stage: &str) -> Target {
        Target { certificate: Certificate::from_pem(PEM).unwrap(), stage: stage.to_owned() }
    }

    fn names() -> Names {
        Names { sealed: "alice-db".to_owned(), in_stack: "db".parse().unwrap() }
    }

    fn values(all: &[(&str, &str)]) -> Values {
        all.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec().into())).collect()
    }

    fn opened(document: &SealedSecret) -> Vec<(String, String)> {
        let keys = Keyring::from_pem(PEM).unwrap();
        let open = |(key, sealed): (&String, &String)| {
            let opened = keys.open("openfaas-fn", "alice-db", sealed).unwrap();
            (key.clone(), String::from_utf8(opened.value.expose_secret().to_vec()).unwrap())
        };
        document.encrypted_data.iter().map(open).collect()
    }

    fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
        all.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn sealed(all: &[(&str, &str)], old: Option<&SealedSecret>) -> anyhow::Result<SealedSecret> {
        document(&target("https://system.example.com"), "openfaas-fn", &names(), &values(all), old)
    }

    #[test]
    fn a_document_opens_and_says_for_whom_it_is() {
        let document = sealed(&[("a", "1"), ("b", "2")], None).unwrap();
        assert_eq!(opened(&document), pairs(&[("a", "1"), ("b", "2")]));
        assert_eq!(document.fingerprint(), Some(Certificate::from_pem(PEM).unwrap().fingerprint()));
        let shown = told(&document, &names(), &target("https://system.example.com"), Path::new("secrets.yml"), false);
        let fingerprint = short(document.fingerprint().unwrap());
        insta::assert_snapshot!(anstream::adapter::strip_str(&shown).to_string().replace(&fingerprint, "[print]"), @r"
        alice-db (a, b) is added to secrets.yml, sealed for https://system.example.com (certificate [print]…)
        In stack.yml: secrets: [db]
        ");
    }

    #[test]
    fn merging_keeps_the_other_keys_as_they_are() {
        let first = sealed(&[("a", "1"), ("b", "2")], None).unwrap();
        let second = sealed(&[("b", "3"), ("c", "4")], Some(&first)).unwrap();
        assert_eq!(second.encrypted_data["a"], first.encrypted_data["a"]);
        assert_eq!(opened(&second), pairs(&[("a", "1"), ("b", "3"), ("c", "4")]));
        assert_eq!(second.fingerprint(), first.fingerprint());
    }

    #[test]
    fn keys_of_two_certificates_are_said_so_and_those_of_two_stages_refused() {
        let mut first = sealed(&[("a", "1")], None).unwrap();
        first.set_fingerprint("0123");
        let mixed = sealed(&[("b", "2")], Some(&first)).unwrap();
        assert_eq!(mixed.fingerprint(), None);
        let shown = told(&mixed, &names(), &target("x"), Path::new("secrets.yml"), true);
        assert!(shown.contains("ofc seal rotate"), "{shown}");
        assert!(sealed(&[("a", "2")], Some(&first)).unwrap().fingerprint().is_some(), "none of the old ones is left");
        first.set_stage("https://system.other.com");
        let error = sealed(&[("b", "2")], Some(&first)).unwrap_err();
        assert!(error.to_string().contains("sealed for https://system.other.com"), "{error}");
    }

    #[test]
    fn literals_and_other_stages_are_warned_about() {
        let mut other = sealed(&[("a", "1")], None).unwrap();
        other.name = "alice-mail".to_owned();
        let sources = |literal: &[&str]| Sources {
            literal: literal.iter().map(|text| (*text).into()).collect(),
            prompt: vec![],
            stdin: None,
            from_file: vec![],
            from_env_file: vec![],
        };
        let here = target("https://system.example.com");
        assert!(warnings(&sources(&[]), &[other.clone()], &names(), &here).is_empty());
        let both = warnings(&sources(&["a=hunter2"]), &[other], &names(), &target("prod.pem"));
        assert!(
            both[0].contains("history") && !both[0].contains("hunter2") && both[1].contains("one stage"),
            "{both:?}"
        );
    }
}
