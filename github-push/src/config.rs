//! What the operator decides.

use sdk::call::Functions;
use sdk::{ConfigError, Env};

pub(crate) struct Config {
    /// `gateway_url` and the secret `payload-secret`.
    pub(crate) functions: Functions,
    /// `build_branch`; each repository's default branch where unset.
    pub(crate) build_branch: Option<String>,
}

impl Config {
    pub(crate) fn read(env: &Env) -> Result<Self, ConfigError> {
        let r = env.reader();
        let functions = Functions::read(&r);
        let build_branch = r.optional("build_branch");
        r.finish()?;
        Ok(Self { functions: functions?, build_branch: build_branch? })
    }
}
