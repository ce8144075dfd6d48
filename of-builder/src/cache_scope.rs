//! Keeps one owner's cache mounts from everybody else's.
//!
//! BuildKit knows a cache mount by the name that a Dockerfile gives it, whoever wrote the Dockerfile. So any tenant
//! could read what another's build keeps there (compiled code, package archives), or put something of its own in its place.

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
    let folder = image.repository().rsplit_once('/').map_or("", |(folder, _)| folder);
    let signature = sha256_header(secret, format!("cache-mounts/v1/{folder}").as_bytes());
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
    }
}
