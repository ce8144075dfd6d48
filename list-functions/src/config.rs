//! What the operator decides.

use sdk::call::Functions;
use sdk::gateway::Gateway;
use sdk::{ConfigError, Env};

pub(crate) struct Config {
    /// `gateway_url` and the secret `payload-secret`.
    pub(crate) functions: Functions,
    /// `gateway_url` and the secrets `basic-auth-user` and `basic-auth-password`.
    pub(crate) gateway: Gateway,
}

impl Config {
    pub(crate) fn read(env: &Env) -> Result<Self, ConfigError> {
        let r = env.reader();
        let functions = Functions::read(&r);
        let gateway = Gateway::read(&r);
        r.finish()?;
        Ok(Self { functions: functions?, gateway: gateway? })
    }
}
