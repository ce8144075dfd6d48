//! Secrets on their way into a repository: values that nobody sees, sealed for one stage, in a file.

pub(crate) mod batch;
pub(crate) mod certificate;
pub(crate) mod file;
pub(crate) mod owner;
pub(crate) mod prompt;
pub(crate) mod stage;
pub(crate) mod values;

/// The file in which a repository's secrets are, as the pipeline looks for it.
pub(crate) const USUAL_FILE: &str = "secrets.yml";
/// The namespace of the functions.
pub(crate) const USUAL_NAMESPACE: &str = "openfaas-fn";
