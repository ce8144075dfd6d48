//! Keeps one owner's cache mounts from everybody else's, and the results of steps that may have used a secret.
//!
//! BuildKit knows a cache mount by the name that a Dockerfile gives it, whoever wrote the Dockerfile. So any tenant
//! could read what another's build keeps there (compiled code, package archives), or put something of its own in its place.

//! It knows the result of a step by the step's text and by what came before, and not by the secrets that the step read. So
//! whoever copies a Dockerfile of somebody else's would be given what that one's token fetched. What a build with secrets
//! runs therefore has a host name more, which makes it another step; unlike an environment variable or a build argument
//! it stays out of the image and its history.

use sdk::signing::sha256_header;
use secrecy::SecretString;

use crate::image_name::ImageName;

/// The build argument by which a Dockerfile's cache mounts get another name.
pub(crate) const ARGUMENT: &str = "BUILDKIT_CACHE_MOUNT_NS";
/// Half of a SHA-256: nobody guesses it.
const DIGITS: usize = 32;

/// The scope of an image's builds: the folder that the image is in (`<registry>/<owner>`). It cannot be guessed, as a
/// mount's own name may have slashes and dots in it, and `# syntax=` may name a program that ignores the argument.
pub(crate) fn of(image: &ImageName, secret: &SecretString) -> String {
    derive("cache-mounts/v1", image, secret)
}

/// The host that the steps of an image's builds with secrets know, as `name:address`.
pub(crate) fn host(image: &ImageName, secret: &SecretString) -> String {
    format!("{}.steps.invalid:127.0.0.1", derive("steps/v1", image, secret))
}

fn derive(purpose: &str, image: &ImageName, secret: &SecretString) -> String {
    let folder = image.repository().rsplit_once('/').map_or("", |(folder, _)| folder);
    let signature = sha256_header(secret, format!("{purpose}/{folder}").as_bytes());
    signature.trim_start_matches("sha256=").chars().take(DIGITS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(image: &str) -> String {
        of(&image.parse().unwrap(), &"k".into())
    }

    #[test]
    fn an_owner_has_one_scope_and_no_other_owner_has_it() {
        assert_eq!(scope("alice/shop-cart:1"), scope("alice/blog-post:2"));
        let others = ["alice-x/cart", "bob/cart", "r.local/alice/cart", "alice"];
        assert!(others.iter().all(|other| scope(other) != scope("alice/shop-cart")));
        assert_ne!(scope("alice/a"), of(&"alice/a".parse().unwrap(), &"other".into()));
        let host = |image: &str| host(&image.parse().unwrap(), &"k".into());
        assert_eq!(host("alice/a:1"), host("alice/b:2"));
        assert!(host("alice/a") != host("bob/a") && !host("alice/a").contains(&scope("alice/a")));
    }
}
