//! What the operator decides.

use std::path::PathBuf;
use std::time::Duration;

use sdk::call::Functions;
use sdk::gateway::Gateway;
use sdk::{ConfigError, Env, Invalid, Reader};
use secrecy::SecretString;
use url::Url;

use crate::deployment::Rules;

const MIB: u64 = 1024 * 1024;

pub(crate) struct Config {
    /// `gateway_url` and the secret `payload-secret`.
    pub(crate) functions: Functions,
    /// `gateway_url` and the secrets `basic-auth-user` and `basic-auth-password`.
    pub(crate) gateway: Gateway,
    pub(crate) builder: BuilderConfig,
    pub(crate) intake: IntakeConfig,
    /// What functions get and may wish for.
    pub(crate) rules: Rules,
    /// `ready_timeout`: how long a new version may take to become ready after the gateway took it.
    pub(crate) ready_timeout: Duration,
}

#[derive(Clone)]
pub(crate) struct BuilderConfig {
    /// `builder_url`.
    pub(crate) url: Url,
    /// The secret `builder-payload-secret`.
    pub(crate) secret: SecretString,
    /// `build_timeout`: one build, with the wait for a free builder.
    pub(crate) timeout: Duration,
    /// `push_repository_url` and `repository_url`: the builder pushes to the one, functions are pulled from the other.
    pub(crate) pull_from: Option<(String, String)>,
}

pub(crate) struct IntakeConfig {
    /// `max_context_mb`, in bytes.
    pub(crate) max_bytes: u64,
    /// `receive_timeout`: how long an upload may take.
    pub(crate) timeout: Duration,
    /// `ship_parallelism`: orders at the same time; one more waits.
    pub(crate) parallelism: usize,
    /// `spool_directory`: where uploads wait; the system's where unset.
    pub(crate) directory: Option<PathBuf>,
}

impl Config {
    pub(crate) fn read(env: &Env) -> Result<Self, ConfigError> {
        let r = env.reader();
        let functions = Functions::read(&r);
        let gateway = Gateway::read(&r);
        let builder = builder(&r);
        let intake = intake(&r);
        let rules = Rules::read(&r);
        let ready_timeout = r.duration_or("ready_timeout", Duration::from_secs(120));
        r.finish()?;
        Ok(Self {
            functions: functions?,
            gateway: gateway?,
            builder: builder?,
            intake: intake?,
            rules: rules?,
            ready_timeout: ready_timeout?,
        })
    }
}

fn builder(r: &Reader<'_>) -> Result<BuilderConfig, Invalid> {
    let url = r.required("builder_url");
    let secret = r.secret("builder-payload-secret");
    let timeout = r.duration_or("build_timeout", Duration::from_secs(10 * 60));
    let push = r.optional::<String>("push_repository_url");
    let pull = r.optional::<String>("repository_url");
    let with_slash = |text: String| format!("{}/", text.trim_end_matches('/'));
    let pull_from = push?.map(with_slash).zip(pull?.map(with_slash)).filter(|(push, pull)| push != pull);
    Ok(BuilderConfig { url: url?, secret: secret?, timeout: timeout?, pull_from })
}

fn intake(r: &Reader<'_>) -> Result<IntakeConfig, Invalid> {
    let max_mb = r.or::<u64>("max_context_mb", 512);
    let timeout = r.duration_or("receive_timeout", Duration::from_secs(120));
    let parallelism = r.or("ship_parallelism", 16).and_then(|n: usize| match n {
        0 => Err(r.invalid("ship_parallelism", "must be at least 1")),
        n => Ok(n.min(1024)),
    });
    let directory = r.optional("spool_directory");
    Ok(IntakeConfig {
        max_bytes: max_mb?.saturating_mul(MIB),
        timeout: timeout?,
        parallelism: parallelism?,
        directory: directory?,
    })
}
