//! From an image's name to the id of an image that is here.

use std::str::FromStr;

use super::registry::CredentialsError;
use super::{Engine, EngineError};

/// When an image is asked for at its registry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PullPolicy {
    /// When it is not on this machine.
    #[default]
    IfNotPresent,
    /// At each deployment that names it by a tag. What is named by its content is pulled once.
    Always,
}

/// Not a policy.
#[derive(Debug, thiserror::Error)]
#[error("it is neither IfNotPresent nor Always")]
pub struct UnknownPolicy;

impl FromStr for PullPolicy {
    type Err = UnknownPolicy;

    fn from_str(text: &str) -> Result<Self, UnknownPolicy> {
        match text.to_ascii_lowercase().as_str() {
            "ifnotpresent" => Ok(Self::IfNotPresent),
            "always" => Ok(Self::Always),
            _ => Err(UnknownPolicy),
        }
    }
}

/// Why an image cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum ImageError {
    #[error("the image {image} is not on this machine and cannot be pulled: {message}")]
    Pull { image: String, message: String },
    #[error("pulling the image {image} took longer than {limit:?}")]
    Timeout { image: String, limit: std::time::Duration },
    #[error("the image name \"{0}\" is not valid: {1}")]
    Name(String, String),
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl Engine {
    /// The id of the image of this name: a tag, a registry digest, or `name@sha256:<local image id>`. Pulls what is
    /// not here.
    pub(crate) async fn resolve_image(&self, image: &str) -> Result<String, ImageError> {
        let pinned = self.pull_policy == PullPolicy::IfNotPresent || image.contains("sha256:");
        if pinned && let Some(id) = self.local_image(image).await? {
            return Ok(id);
        }
        // A local build has no registry digest: its image id is what names it.
        if let Some((_, id)) = image.split_once('@')
            && let Some(id) = self.local_image(id).await?
        {
            return Ok(id);
        }
        self.pull(image).await?;
        let missing =
            || ImageError::Pull { image: image.to_owned(), message: "the pull brought another image".to_owned() };
        self.local_image(image).await?.ok_or_else(missing)
    }

    async fn local_image(&self, image: &str) -> Result<Option<String>, ImageError> {
        match self.docker()?.inspect_image(image).await.map_err(|source| self.error("inspect image", image, source)) {
            Ok(found) => Ok(found.id),
            Err(error) if error.is_missing() => Ok(None),
            Err(EngineError::Refused { status: 400, message, .. }) => Err(ImageError::Name(image.to_owned(), message)),
            Err(error) => Err(error.into()),
        }
    }
}
