//! What the operator decides.

use gitlab_api::Api;
use sdk::call::Functions;
use sdk::customers::Customers;
use sdk::{ConfigError, Env};
use secrecy::SecretString;

/// GitLab sends no larger payload, in MiB.
const GITLAB_LIMIT_MB: usize = 25;
/// The topic of projects that are deployed, where the operator names no other.
const TAG: &str = "openfaas-cloud";

pub(crate) struct Config {
    /// `gateway_url` and the secret `payload-secret`.
    pub(crate) functions: Functions,
    /// `customers_path`.
    pub(crate) customers: Customers,
    /// `gitlab_instance` and the secret `gitlab-api-token`.
    pub(crate) gitlab: Api,
    /// `installation_tag`.
    pub(crate) tag: String,
    /// The secrets `gitlab-webhook-secret` and, where it is there, `gitlab-webhook-secret-next`.
    pub(crate) webhook_secrets: Vec<SecretString>,
    /// `max_webhook_mb`, in bytes.
    pub(crate) max_body_bytes: usize,
}

impl Config {
    pub(crate) fn read(env: &Env) -> Result<Self, ConfigError> {
        let r = env.reader();
        let functions = Functions::read(&r);
        let customers = Customers::read(&r);
        let gitlab = Api::read(&r);
        let tag = r.or("installation_tag", TAG.to_owned());
        let secret = r.secret("gitlab-webhook-secret");
        let next = r.optional_secret("gitlab-webhook-secret-next");
        let max_mb = r.or("max_webhook_mb", GITLAB_LIMIT_MB);
        r.finish()?;
        Ok(Self {
            functions: functions?,
            customers: customers?,
            gitlab: gitlab?,
            tag: tag?,
            webhook_secrets: [secret?].into_iter().chain(next).collect(),
            max_body_bytes: max_mb?.saturating_mul(1024 * 1024),
        })
    }
}
