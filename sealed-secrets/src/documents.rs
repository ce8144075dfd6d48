//! Files of sealed secrets: YAML documents of kind `SealedSecret`.
//!
//! A file comes out of a tenant's repository, so everything in it is bounded, and what is not understood is refused. Each
//! document is read by itself: where one ends is told by its markers alone (`---`, `...`), which YAML allows nowhere else at
//! the beginning of a line. So a file can be edited without its other documents being written anew.

mod error;
mod meaning;
mod node;
mod pieces;
mod put;
mod write;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

pub use error::DocumentError;
pub use meaning::is_file_name;
pub use put::{put, put_all};
pub use write::to_yaml;

use meaning::Placed;

/// `metadata.annotations` that says the fingerprint of the certificate that the values were sealed to.
pub const FINGERPRINT_ANNOTATION: &str = "com.openfaas.cloud/sealing-certificate";
/// `metadata.annotations` that says where that certificate was had from.
pub const STAGE_ANNOTATION: &str = "com.openfaas.cloud/sealing-stage";
/// `apiVersion` of a document.
pub const API_VERSION: &str = "bitnami.com/v1alpha1";
/// `kind` of a document.
pub const KIND: &str = "SealedSecret";

/// One document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SealedSecret {
    /// `metadata.name`: lower-case letters, digits, `-` and `.`.
    pub name: String,
    /// `metadata.namespace`: lower-case letters, digits and `-`.
    pub namespace: String,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `metadata.annotations`.
    pub annotations: BTreeMap<String, String>,
    /// `spec.template.metadata.labels`, which a cluster gives the secret.
    pub template_labels: BTreeMap<String, String>,
    /// `spec.template.metadata.annotations`.
    pub template_annotations: BTreeMap<String, String>,
    /// `spec.encryptedData`: by key, the sealed value in base64. Keys are file names. Never empty in a file.
    pub encrypted_data: BTreeMap<String, String>,
}

impl SealedSecret {
    /// The fingerprint of the certificate that the values were sealed to, if the document says it.
    pub fn fingerprint(&self) -> Option<&str> {
        self.annotations.get(FINGERPRINT_ANNOTATION).map(String::as_str)
    }

    /// Says to which certificate the values are sealed.
    pub fn set_fingerprint(&mut self, fingerprint: &str) {
        self.annotations.insert(FINGERPRINT_ANNOTATION.to_owned(), fingerprint.to_owned());
    }

    /// Where the certificate was had from, if the document says it.
    pub fn stage(&self) -> Option<&str> {
        self.annotations.get(STAGE_ANNOTATION).map(String::as_str)
    }

    /// Says where the certificate was had from.
    pub fn set_stage(&mut self, stage: &str) {
        self.annotations.insert(STAGE_ANNOTATION.to_owned(), stage.to_owned());
    }
}

/// How much of a file is read.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The file, in bytes.
    pub file_bytes: usize,
    /// Documents of the file.
    pub documents: usize,
    /// Values of all documents together.
    pub values: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { file_bytes: 2 * 1024 * 1024, documents: 256, values: 1000 }
    }
}

/// All documents of a file, in order; empty ones are passed over. No two have the same name in the same namespace.
///
/// # Errors
/// When the file is not one of sealed secrets, has something that is not taken, or is beyond a limit.
pub fn parse(text: &str, limits: &Limits) -> Result<Vec<SealedSecret>, DocumentError> {
    Ok(placed(text, limits)?.into_iter().map(|placed| placed.document).collect())
}

/// The same, each with the number of its piece.
fn placed(text: &str, limits: &Limits) -> Result<Vec<Placed>, DocumentError> {
    if text.len() > limits.file_bytes {
        return Err(DocumentError::whole(format!(
            "the file has {} bytes; at most {} are read: divide the secrets among several repositories",
            text.len(),
            limits.file_bytes
        )));
    }
    let mut all: Vec<Placed> = Vec::new();
    let mut names = BTreeMap::new();
    let mut values = 0;
    for piece in pieces::of(text) {
        let Some(placed) = meaning::read(&piece)? else { continue };
        values += placed.document.encrypted_data.len();
        if all.len() == limits.documents || values > limits.values {
            return Err(DocumentError::at(placed.line, too_many(limits)));
        }
        let name = (placed.document.namespace.clone(), placed.document.name.clone());
        match names.entry(name) {
            Entry::Occupied(first) => {
                let (name, first) = (&placed.document.name, first.get());
                let message = format!("the secret {name} is there already in line {first}: put its keys together");
                return Err(DocumentError::at(placed.line, message));
            }
            Entry::Vacant(free) => free.insert(placed.line),
        };
        all.push(placed);
    }
    Ok(all)
}

fn too_many(limits: &Limits) -> String {
    let Limits { documents, values, .. } = limits;
    format!("a file may have {documents} secrets with {values} values at most: divide them among several repositories")
}

#[cfg(test)]
mod tests;
