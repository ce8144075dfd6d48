//! Names of labels and annotations on deployed functions. The values are the original's
//! (`spec/contract.md` 5.1) unless said otherwise.

/// `1` on every function that the pipeline deployed.
pub const GIT_CLOUD: &str = "com.openfaas.cloud.git-cloud";
/// The owner's login, lower-cased.
pub const GIT_OWNER: &str = "com.openfaas.cloud.git-owner";
/// The owner's number at its host.
pub const GIT_OWNER_ID: &str = "com.openfaas.cloud.git-owner-id";
/// The repository's name.
pub const GIT_REPO: &str = "com.openfaas.cloud.git-repo";
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
/// On the platform's own functions: [`SYSTEM_ROLE`].
pub const ROLE: &str = "role";
/// The value of [`ROLE`] on the platform's own functions.
pub const SYSTEM_ROLE: &str = "openfaas-system";
