//! What the operator decides.

use sdk::call::Functions;
use sdk::gateway::Gateway;
use sdk::{ConfigError, Env};
use secrecy::SecretString;
use url::Url;

/// So many live pages are served at the same time unless the operator says otherwise.
const STREAMS: usize = 500;

pub(crate) struct Config {
    /// `gateway_url` and the secret `payload-secret`.
    pub(crate) functions: Functions,
    /// `gateway_url` and the secrets `basic-auth-user` and `basic-auth-password`.
    pub(crate) gateway: Gateway,
    /// `gateway_url`, as an address to add paths to.
    pub(crate) gateway_url: Url,
    /// The secret `payload-secret`: who calls is told under it.
    pub(crate) payload_secret: SecretString,
    /// `gateway_pretty_url`: where functions are called, with `user` for the owner. Optional.
    pub(crate) pretty_url: Option<String>,
    /// `builder_url`: the builder, which is asked how busy it is. Optional.
    pub(crate) builder_url: Option<Url>,
    /// `git_host_url`: the platform's own git host, to which `ofc link` leads. Optional.
    pub(crate) git_host_url: Option<String>,
    /// `dashboard_streams`: so many live pages at most, 500.
    pub(crate) streams: usize,
}

impl Config {
    pub(crate) fn read(env: &Env) -> Result<Self, ConfigError> {
        let r = env.reader();
        let functions = Functions::read(&r);
        let gateway = Gateway::read(&r);
        let gateway_url = r.required("gateway_url");
        let payload_secret = r.secret("payload-secret");
        let pretty = r.optional::<Url>("gateway_pretty_url");
        let builder = r.optional::<Url>("builder_url");
        let git_host = r.optional::<Url>("git_host_url");
        let streams = r.optional("dashboard_streams");
        r.finish()?;
        Ok(Self {
            functions: functions?,
            gateway: gateway?,
            gateway_url: gateway_url?,
            payload_secret: payload_secret?,
            pretty_url: pretty?.map(|url| url.as_str().trim_end_matches('/').to_owned()),
            builder_url: builder?,
            git_host_url: git_host?.map(|url| url.as_str().trim_end_matches('/').to_owned()),
            streams: streams?.unwrap_or(STREAMS),
        })
    }
}
