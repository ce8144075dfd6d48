//! Names of labels and annotations on deployed functions. The values are the original's
//! (`spec/contract.md` 5.1) unless said otherwise, in the form that [`value`] gives them.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

/// The longest value of a label that Kubernetes takes.
const MAX_VALUE: usize = 63;
/// How much of a longer or otherwise unfit value is kept; a hyphen and a digest of the whole follow.
const KEPT: usize = 46;

/// `1` on every function that the pipeline deployed.
pub const GIT_CLOUD: &str = "com.openfaas.cloud.git-cloud";
/// The owner's login, lower-cased.
pub const GIT_OWNER: &str = "com.openfaas.cloud.git-owner";
/// The owner's number at its host.
pub const GIT_OWNER_ID: &str = "com.openfaas.cloud.git-owner-id";
/// The repository's name.
pub const GIT_REPO: &str = "com.openfaas.cloud.git-repo";
/// New: the repository's number at its host, which stays when it is renamed.
pub const GIT_REPO_ID: &str = "com.openfaas.cloud.git-repo-id";
/// The full commit id.
pub const GIT_SHA: &str = "com.openfaas.cloud.git-sha";
/// Seconds since 1970 at the time of the deployment.
pub const GIT_DEPLOY_TIME: &str = "com.openfaas.cloud.git-deploytime";
/// `1` for a private repository, else `0`.
pub const GIT_PRIVATE: &str = "com.openfaas.cloud.git-private";
/// The source-code host's name, for example `github.com`. (The original wrote the kind, `github` or `gitlab`.)
pub const GIT_SCM: &str = "com.openfaas.cloud.git-scm";
/// The branch that was pushed.
pub const GIT_BRANCH: &str = "com.openfaas.cloud.git-branch";
/// New: the first 40 digits of the digest of all that went into the image.
pub const BUILD_DIGEST: &str = "com.openfaas.cloud.build-digest";
/// New: the first 40 digits of the digest of the deployment's settings other than the image.
pub const DEPLOY_DIGEST: &str = "com.openfaas.cloud.deploy-digest";
/// Annotation: the repository's page.
pub const GIT_REPO_URL: &str = "com.openfaas.cloud.git-repo-url";
/// Annotation, new: who may call a function, see [`crate::access::Access`].
pub const ACCESS: &str = "com.openfaas.cloud.access";
/// Annotation, new: other hosts that a function is served at, by commas. Each proves itself by a DNS record.
pub const DOMAINS: &str = "com.openfaas.cloud.domains";
/// On the platform's own functions: [`SYSTEM_ROLE`].
pub const ROLE: &str = "role";
/// The value of [`ROLE`] on the platform's own functions.
pub const SYSTEM_ROLE: &str = "openfaas-system";

/// A text as the value of a label: itself where Kubernetes takes it, else its fit characters and a digest that
/// keeps it apart from all others. Branches have slashes and repositories may have 100 characters. Whoever
/// compares a label with a branch, a repository or a host compares with this.
pub fn value(text: &str) -> Cow<'_, str> {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let ends = |b: Option<&u8>| b.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    if bytes.len() <= MAX_VALUE && bytes.iter().copied().all(inner) && ends(bytes.first()) && ends(bytes.last()) {
        return Cow::Borrowed(text);
    }
    let fit = |c: char| if c.is_ascii_alphanumeric() || c == '.' || c == '_' { c } else { '-' };
    let kept: String = text.chars().map(fit).take(KEPT).collect();
    let digest = hex::encode(Sha256::digest(bytes));
    Cow::Owned(
        format!("{}-{}", kept.trim_start_matches(['-', '_', '.']), &digest[..12]).trim_start_matches('-').to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fit_values_stay_and_others_become_fit_and_stay_apart() {
        for fit in ["", "main", "git.localhost", "Hello_1.2-3"] {
            assert_eq!(value(fit), fit);
        }
        let long = "x".repeat(100);
        for unfit in ["feature/x", "_a", "a-", "ä", "/", &long] {
            let made = value(unfit);
            assert_eq!(value(&made), made, "{unfit}");
            assert_ne!(made, unfit);
        }
        assert_ne!(value("feature/x"), value("feature-x"));
        assert_ne!(value("feature/x"), value("feature:x"));
    }
}
