//! From an image's name to the id of an image that is here.

use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::TryStreamExt;
use tokio::time::timeout;

use super::{Engine, EngineError};

/// Why an image cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImageError {
    #[error("the image {image} is not on this machine and cannot be pulled: {message}")]
    Pull { image: String, message: String },
    #[error("pulling the image {image} took longer than {limit:?}")]
    Timeout { image: String, limit: std::time::Duration },
    #[error("the image name \"{0}\" is not valid: {1}")]
    Name(String, String),
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl Engine {
    /// The id of the image of this name: a tag, a registry digest, or `name@sha256:<local image id>`. Pulls what is
    /// not here.
    pub(crate) async fn resolve_image(&self, image: &str) -> Result<String, ImageError> {
        if let Some(id) = self.local_image(image).await? {
            return Ok(id);
        }
        // A local build has no registry digest: its image id is what names it.
        if let Some((_, id)) = image.split_once('@')
            && let Some(id) = self.local_image(id).await?
        {
            return Ok(id);
        }
        tracing::info!(image, "Pulling an image.");
        match timeout(self.pull_timeout, self.pull(image)).await {
            Ok(pulled) => pulled?,
            Err(_) => return Err(ImageError::Timeout { image: image.to_owned(), limit: self.pull_timeout }),
        }
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

    async fn pull(&self, image: &str) -> Result<(), ImageError> {
        let (name, tag) = split(image);
        let options = CreateImageOptionsBuilder::default().from_image(name).tag(tag).build();
        let progress = self.docker()?.create_image(Some(options), None, None);
        let done = progress.try_for_each(|_| async { Ok(()) }).await;
        match done.map_err(|source| self.error("pull image", image, source)) {
            Ok(()) => Ok(()),
            Err(EngineError::Refused { message, .. }) => Err(ImageError::Pull { image: image.to_owned(), message }),
            Err(error) => Err(error.into()),
        }
    }
}

/// Name and tag (or digest). Without a tag the engine would pull all of them.
fn split(image: &str) -> (&str, &str) {
    if let Some((name, digest)) = image.split_once('@') {
        // `name:tag@digest`: the digest decides.
        return (split(name).0, digest);
    }
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (image, "latest"),
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn names_are_split_from_tags_and_digests() {
        assert_eq!(split("alpine"), ("alpine", "latest"));
        assert_eq!(split("127.0.0.1:5000/a/b"), ("127.0.0.1:5000/a/b", "latest"));
        assert_eq!(split("127.0.0.1:5000/a/b:v1"), ("127.0.0.1:5000/a/b", "v1"));
        assert_eq!(split("a/b:v1@sha256:00"), ("a/b", "sha256:00"));
    }
}
