//! What the operator decides.

use gitlab_api::Api;
use sdk::call::Functions;
use sdk::event::Scm;
use sdk::signing::Key;
use sdk::status::Targets;
use sdk::{ConfigError, Env, Invalid, Reader};
use url::Url;

const PRODUCTION: &str = "production";
/// The longest name of an environment, in characters.
const MAX_ENVIRONMENT: usize = 255;

pub(crate) struct Config {
    /// From the secret `payload-secret`.
    pub(crate) key: Key,
    /// `gitlab_instance` and the secret `gitlab-api-token`.
    pub(crate) gitlab: Api,
    /// `report_status`, default true.
    pub(crate) report: bool,
    /// `environment`, default `production`; `None` where `use_deployments` is false.
    pub(crate) environment: Option<String>,
    /// `gateway_public_url` and `gateway_pretty_url`.
    pub(crate) targets: Targets,
    /// `gateway_url`: where a last word waits that GitLab does not want yet.
    pub(crate) functions: Option<Functions>,
}

impl Config {
    pub(crate) fn read(env: &Env) -> Result<Self, ConfigError> {
        let r = env.reader();
        let secret = r.secret("payload-secret");
        let gitlab = Api::read(&r);
        let report = r.flag("report_status", true);
        let environment = environment(&r);
        let targets = Targets::read(&r);
        let gateway: Result<Option<Url>, _> = r.optional("gateway_url");
        r.finish()?;
        let secret = secret?;
        Ok(Self {
            key: Key::derive(&secret, Scm::Gitlab.status_function()),
            gitlab: gitlab?,
            report: report?,
            environment: environment?,
            targets: targets?,
            functions: gateway?.map(|gateway| Functions::new(gateway, secret)),
        })
    }
}

/// A name by GitLab's rules.
fn environment(r: &Reader<'_>) -> Result<Option<String>, Invalid> {
    let wanted = r.flag("use_deployments", true)?;
    let name: String = r.or("environment", PRODUCTION.to_owned())?;
    let plain = |c: char| c.is_ascii_alphanumeric() || " -_/.${}".contains(c);
    let ends = name.starts_with('/') || name.ends_with('/');
    if name.len() > MAX_ENVIRONMENT || ends || !name.chars().all(plain) {
        let rule = "letters, digits, spaces and any of -_/.${}, without a slash at an end";
        return Err(r.invalid("environment", format!("must be a name of at most {MAX_ENVIRONMENT} {rule}")));
    }
    Ok(wanted.then_some(name))
}
