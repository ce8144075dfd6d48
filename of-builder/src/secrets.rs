//! Secrets of one build: opened from the archive, given to its steps, and kept out of all that leaves this service.

mod forms;
mod key;
mod mask;
mod sealed;
mod window;

use std::collections::BTreeMap;

use secrecy::SecretSlice;

pub use key::{BuilderKey, InvalidBuilderKey};
pub(crate) use mask::Mask;
pub(crate) use sealed::{MAX_FILE_BYTES, SealedError};
pub(crate) use window::Window;

/// What `RUN --mount=type=secret,id=…` gets, by its id.
#[derive(Debug, Default)]
pub(crate) struct BuildSecrets {
    values: BTreeMap<String, SecretSlice<u8>>,
}

impl BuildSecrets {
    /// Opens an archive's `com.openfaas.secrets`.
    pub(crate) fn open(sealed: &[u8], key: Option<&BuilderKey>) -> Result<Self, SealedError> {
        Ok(Self { values: sealed::open(sealed, key.ok_or(SealedError::NoKey)?)? })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The ids in their order.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    pub(crate) fn get(&self, id: &str) -> Option<&SecretSlice<u8>> {
        self.values.get(id)
    }

    fn values(&self) -> impl Iterator<Item = &SecretSlice<u8>> {
        self.values.values()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    pub(crate) use super::mask::tests::mask;
}
