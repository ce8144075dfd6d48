//! The name under which a function's image is built.

use sdk::context::BuildDigest;
use sdk::event::PushEvent;
use sdk::id::FunctionName;

/// `<registry prefix><owner>/<repository>-<function>:<digest>`. The owner is a part of its own, so that no two
/// owners share a name; the digest keeps one owner's images apart where names run into each other.
pub(crate) fn image_name(registry: &str, event: &PushEvent, function: &FunctionName, digest: &BuildDigest) -> String {
    let prefix = match registry.trim_end_matches('/') {
        "" => String::new(),
        prefix => format!("{prefix}/"),
    };
    let name = plain(&format!("{}-{function}", event.repo));
    format!("{prefix}{}/{name}:{}", event.owner, digest.tag())
}

/// Lower-case letters and digits with single hyphens between them: what every registry takes.
fn plain(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.join("-")
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn every_repository_name_gives_an_image_name() {
        assert_eq!(plain("Hello.World_x--y-fn"), "hello-world-x-y-fn");
        assert_eq!(plain("a_-fn"), "a-fn");
    }
}
