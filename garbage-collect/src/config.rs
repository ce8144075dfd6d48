//! What the operator decides.

use std::time::Duration;

use sdk::call::Functions;
use sdk::gateway::Gateway;
use sdk::{ConfigError, Env};

pub(crate) struct Config {
    /// `gateway_url` and the secret `payload-secret`.
    pub(crate) functions: Functions,
    /// `gateway_url` and the secrets `basic-auth-user` and `basic-auth-password`.
    pub(crate) gateway: Gateway,
    /// `collect_timeout`: no deletion begins later than this after the request came. `exec_timeout` in stack.yml is
    /// longer by at least `delete_timeout`.
    pub(crate) collect_timeout: Duration,
    /// `delete_timeout`: one deletion.
    pub(crate) delete_timeout: Duration,
}

impl Config {
    pub(crate) fn read(env: &Env) -> Result<Self, ConfigError> {
        let r = env.reader();
        let functions = Functions::read(&r);
        let gateway = Gateway::read(&r);
        let collect_timeout = r.duration_or("collect_timeout", Duration::from_secs(180));
        let delete_timeout = r.duration_or("delete_timeout", Duration::from_secs(60));
        r.finish()?;
        Ok(Self {
            functions: functions?,
            gateway: gateway?,
            collect_timeout: collect_timeout?,
            delete_timeout: delete_timeout?,
        })
    }
}
