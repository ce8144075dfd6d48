//! The name under which a function's image is built.

use sdk::context::BuildDigest;
use sdk::event::PushEvent;
use sdk::id::FunctionName;

/// The longest part of a tag that the branch has. A tag may have 128 characters.
const MAX_BRANCH: usize = 60;

/// `<registry prefix><owner>/<repository>-<function>:<branch>-<digest>`. The owner is a part of its own, so that no two
/// owners share a name; the digest keeps one owner's images apart where names run into each other. The branch does that
/// for stages that share a registry, and shows people which stage an image is for.
pub(crate) fn image_name(registry: &str, event: &PushEvent, function: &FunctionName, digest: &BuildDigest) -> String {
    let prefix = match registry.trim_end_matches('/') {
        "" => String::new(),
        prefix => format!("{prefix}/"),
    };
    let name = plain(&format!("{}-{function}", event.repo));
    format!("{prefix}{}/{name}:{}", event.owner, tag(&event.branch, &digest.tag()))
}

/// A branch without a letter or digit that a registry takes is left out.
fn tag(branch: &str, digest: &str) -> String {
    let branch = plain(branch);
    let branch = branch.get(..MAX_BRANCH).unwrap_or(&branch).trim_end_matches('-');
    if branch.is_empty() { digest.to_owned() } else { format!("{branch}-{digest}") }
}

/// Lower-case letters and digits with single hyphens between them: what every registry takes.
fn plain(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.join("-")
}

#[cfg(test)]
mod tests {
    use super::{plain, tag};

    #[test]
    fn every_repository_name_gives_an_image_name() {
        assert_eq!(plain("Hello.World_x--y-fn"), "hello-world-x-y-fn");
        assert_eq!(plain("a_-fn"), "a-fn");
    }

    #[test]
    fn the_branch_stands_in_the_tag_whatever_it_is_called() {
        assert_eq!(tag("staging", "0123456789ab"), "staging-0123456789ab");
        assert_eq!(tag("Feature/New_Cart", "0123456789ab"), "feature-new-cart-0123456789ab");
        assert_eq!(tag("-.-", "0123456789ab"), "0123456789ab");
        assert_eq!(tag("ä", "0123456789ab"), "0123456789ab");
        let long = tag(&"x/".repeat(100), "0123456789ab");
        assert!(long.len() < 128 && long.ends_with("x-0123456789ab") && !long.contains("--"), "{long}");
    }
}
