//! `ofc seal inspect`.

use std::path::Path;

use clap::Args;
use sealed_secrets::SealedSecret;

use super::{SealedFile, plain};
use crate::seal::file;
use crate::terminal::print;

#[derive(Debug, Args)]
pub(super) struct Inspect {
    #[command(flatten)]
    sealed: SealedFile,
}

impl Inspect {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let (_, documents) = file::documents(&self.sealed.file)?;
        Ok(print(&render(&self.sealed.file, &documents))?)
    }
}

fn render(file: &Path, documents: &[SealedSecret]) -> String {
    let keys: usize = documents.iter().map(|document| document.encrypted_data.len()).sum();
    let mut text = format!("{}: {}, {}\n", file.display(), count(documents.len(), "secret"), count(keys, "key"));
    for document in documents {
        let keys: Vec<&str> = document.encrypted_data.keys().map(String::as_str).collect();
        let said = |what: Option<&str>| what.map_or("not said in the file".to_owned(), plain);
        text.push_str(&format!(
            "\n{}\n  namespace    {}\n  keys         {}\n  certificate  {}\n  stage        {}\n",
            document.name,
            document.namespace,
            keys.join(", "),
            said(document.fingerprint()),
            said(document.stage()),
        ));
    }
    text
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use sealed_secrets::documents::{self, Limits};

    use super::*;

    const FILE: &str = "
apiVersion: bitnami.com/v1alpha1
kind: SealedSecret
metadata:
  annotations:
    com.openfaas.cloud/sealing-certificate: 3f2a91bc04d1e7a0c5b6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9001122
    com.openfaas.cloud/sealing-stage: \"https://system.example.com\\e[31m\"
  name: alice-db
  namespace: openfaas-fn
spec:
  encryptedData: {url: AgAr, password: AgBy}
---
apiVersion: bitnami.com/v1alpha1
kind: SealedSecret
metadata: {creationTimestamp: null, name: alice-mail, namespace: openfaas-fn}
spec: {encryptedData: {token: AgBy}, template: {metadata: {creationTimestamp: null}}}
";

    #[test]
    fn it_shows_what_is_there_and_nothing_sealed() {
        let documents = documents::parse(FILE, &Limits::default()).unwrap();
        insta::assert_snapshot!(render(Path::new("secrets.yml"), &documents), @r"
        secrets.yml: 2 secrets, 3 keys

        alice-db
          namespace    openfaas-fn
          keys         password, url
          certificate  3f2a91bc04d1e7a0c5b6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9001122
          stage        https://system.example.com[31m

        alice-mail
          namespace    openfaas-fn
          keys         token
          certificate  not said in the file
          stage        not said in the file
        ");
    }
}
