//! What the operator decides.

use github_app::Client;
use sdk::call::Functions;
use sdk::event::Scm;
use sdk::signing::Key;
use sdk::{ConfigError, Env, Invalid, Reader};
use url::Url;

use sdk::status::Targets;

/// GitHub's own default, too.
const PRODUCTION: &str = "production";
/// The longest name of an environment, in characters.
const MAX_ENVIRONMENT: usize = 255;

pub(crate) struct Config {
    /// From the secret `payload-secret`.
    pub(crate) key: Key,
    /// The host part of `github_url`: whose statuses are passed on.
    pub(crate) host: String,
    /// An App or a fixed token; `None` where there is neither, or `report_status` is false.
    pub(crate) github: Option<Client>,
    /// `use_checks`, default true: check runs, and not commit statuses.
    pub(crate) use_checks: bool,
    /// `None` where `use_deployments` is false.
    pub(crate) environment: Option<Environment>,
    /// `gateway_public_url` and `gateway_pretty_url`.
    pub(crate) targets: Targets,
    /// `gateway_url`: where a last word waits that GitHub does not want yet.
    pub(crate) functions: Option<Functions>,
}

/// What deployments are made to.
#[derive(Debug, Clone)]
pub(crate) struct Environment {
    /// `environment`, default `production`.
    pub(crate) name: String,
    /// `production_environment`; by default, whether that is its name.
    pub(crate) production: bool,
}

impl Config {
    pub(crate) fn read(env: &Env) -> Result<Self, ConfigError> {
        let r = env.reader();
        let secret = r.secret("payload-secret");
        let host = host(&r);
        let github = github(&r);
        let use_checks = r.flag("use_checks", true);
        let environment = environment(&r);
        let targets = Targets::read(&r);
        let gateway: Result<Option<Url>, _> = r.optional("gateway_url");
        r.finish()?;
        let secret = secret?;
        Ok(Self {
            key: Key::derive(&secret, Scm::Github.status_function()),
            host: host?,
            github: github?,
            use_checks: use_checks?,
            environment: environment?,
            targets: targets?,
            functions: gateway?.map(|gateway| Functions::new(gateway, secret)),
        })
    }
}

fn host(r: &Reader<'_>) -> Result<String, Invalid> {
    let Some(url) = r.optional::<Url>("github_url")? else { return Ok("github.com".to_owned()) };
    url.host_str().map(str::to_owned).ok_or_else(|| r.invalid("github_url", "has no host"))
}

fn github(r: &Reader<'_>) -> Result<Option<Client>, Invalid> {
    let wanted = r.flag("report_status", true);
    let client = Client::read(r)?;
    if client.is_none() && r.optional::<Url>("github_api_url")?.is_some() {
        let sentence = "is missing: github_api_url is set, and nothing can be reported there without it or an App's \
                        github_app_id and private-key";
        return Err(r.invalid("github-token", sentence));
    }
    let wanted = wanted?;
    Ok(client.filter(|_| wanted))
}

fn environment(r: &Reader<'_>) -> Result<Option<Environment>, Invalid> {
    let wanted = r.flag("use_deployments", true)?;
    let name: String = r.or("environment", PRODUCTION.to_owned())?;
    if name.chars().count() > MAX_ENVIRONMENT || name.chars().any(char::is_control) {
        return Err(r.invalid("environment", format!("must be a name of at most {MAX_ENVIRONMENT} characters")));
    }
    let production = r.flag("production_environment", name == PRODUCTION)?;
    Ok(wanted.then_some(Environment { name, production }))
}
