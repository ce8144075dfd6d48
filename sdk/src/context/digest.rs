//! The digest of all that goes into an image.

use std::fmt;

use sha2::{Digest, Sha256};

use super::ContextError;
use super::plan::Plan;
use super::resolve::unreadable;

/// Changes whenever the same files would be built in another way, so that all functions are built again.
const SCHEME: &str = "openfaas-cloud build 1";

/// The digest of a function's files (path, execute bit, content), build arguments, names of build secrets and template
/// name, never of a secret's value: equal digests mean that there is nothing to build. The template's commit is not in it, because all of the
/// template's files are: a template repository may move without touching this template.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BuildDigest([u8; 32]);

impl BuildDigest {
    /// The first 40 digits, as they stand in a label (63 characters at most).
    pub fn label(&self) -> String {
        hex::encode(&self.0[..20])
    }

    /// The first 12 digits, as they stand in an image's tag.
    pub fn tag(&self) -> String {
        hex::encode(&self.0[..6])
    }
}

impl fmt::Display for BuildDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl Plan {
    /// The plan's digest. Reads each file that has not been hashed before.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn digest(&self) -> Result<BuildDigest, ContextError> {
        let mut sum = Sha256::new();
        let mut field = |bytes: &[u8]| {
            // Lengths first, so that no two lists of fields look the same.
            sum.update((bytes.len() as u64).to_be_bytes());
            sum.update(bytes);
        };
        field(SCHEME.as_bytes());
        field(self.template.as_bytes());
        field(&self.build_args.len().to_be_bytes());
        for (name, value) in &self.build_args {
            field(name.as_bytes());
            field(value.as_bytes());
        }
        // Functions without build secrets keep the digest that they had before there were any.
        if !self.build_secrets.is_empty() {
            field(b"build secrets");
            field(&self.build_secrets.len().to_be_bytes());
            for (id, secret) in &self.build_secrets {
                field(id.as_bytes());
                field(secret.secret.as_str().as_bytes());
                field(secret.key.as_deref().unwrap_or_default().as_bytes());
            }
        }
        for (path, planned) in &self.layers.files {
            field(path.as_str().as_bytes());
            field(&[u8::from(planned.file.executable)]);
            field(&planned.tree.hash(&planned.file).map_err(|cause| unreadable(path, cause))?);
        }
        Ok(BuildDigest(sum.finalize().into()))
    }
}
