//! Names that belong to the platform. A tenant's names are made of a login and a word of the tenant's own
//! (`git` and `tar`), so without these lists a login could be chosen to reach the platform's.

use crate::id::{Owner, ServiceName};

/// Hosts of the platform below its domain; no tenant may have one of them.
const LOGINS: [&str; 4] = ["system", "git", "auth", "www"];

/// Everything that the platform deploys or may deploy at the gateway.
const FUNCTIONS: [&str; 20] = [
    "audit-event",
    "buildshiprun",
    "echo",
    "function-logs",
    "garbage-collect",
    "git-tar",
    "github-event",
    "github-push",
    "github-status",
    "gitlab-event",
    "gitlab-push",
    "gitlab-status",
    "import-secrets",
    "list-functions",
    "pipeline-log",
    "register-image",
    "system-dashboard",
    "system-github-event",
    "system-gitlab-event",
    "system-metrics",
];

/// Secrets of the platform that are kept where tenants' secrets are.
const SECRETS: [&str; 30] = [
    "aws-ecr-createrepo-credentials",
    "basic-auth-password",
    "basic-auth-user",
    "builder-payload-secret",
    "builder-private-key",
    "builder-public-key",
    "customers",
    "git-platform-token",
    "github-app-key",
    "github-app-private-key",
    "github-app-public-key",
    "github-token",
    "github-webhook-secret",
    "github-webhook-secret-next",
    "gitlab-api-token",
    "gitlab-webhook-secret",
    "gitlab-webhook-secret-next",
    "jwt-private-key",
    "jwt-public-key",
    "of-client-secret",
    "payload-secret",
    "private-key",
    "registry-pull-secret",
    "registry-secret",
    "s3-access-key",
    "s3-secret-key",
    "sealing-keys",
    "sealedsecrets-public-key",
    "slack-url",
    "swarm-pull-secret",
];

/// True if no tenant may have this login.
pub fn is_login(owner: &Owner) -> bool {
    LOGINS.contains(&owner.as_str())
}

/// True if this is the name of one of the platform's own functions.
pub fn is_function(name: &ServiceName) -> bool {
    FUNCTIONS.contains(&name.as_str())
}

/// True if this is the name of one of the platform's own secrets.
pub fn is_secret(name: &str) -> bool {
    SECRETS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_and_a_word_cannot_make_a_name_of_the_platform() {
        let made =
            |owner: &str, function: &str| ServiceName::of(&owner.parse().unwrap(), &function.parse().unwrap()).unwrap();
        assert!(is_function(&made("git", "tar")));
        assert!(is_function(&made("github", "push")));
        assert!(!is_function(&made("alice", "push")));
        assert!(is_secret("payload-secret") && !is_secret("alice-secret"));
        assert!(is_login(&"System".parse().unwrap()) && !is_login(&"systems".parse().unwrap()));
    }
}
