//! What the operator decides.

use std::time::Duration;

use sdk::call::Functions;
use sdk::customers::Customers;
use sdk::gateway::{DEFAULT_NAMESPACE, Gateway};
use sdk::identity::IdentityKey;
use sdk::secrets::SECRETS_FUNCTION;
use sdk::{ConfigError, Env, Invalid, Reader};
use secrecy::SecretString;

use crate::backend::Backend;
use crate::build::BuilderKey;
use crate::gateway::GatewayBackend;
use crate::keys::Keys;
use crate::opening::Opener;
use crate::records::Records;

pub(crate) struct Config {
    /// `gateway_url` and the secret `payload-secret`.
    pub(crate) functions: Functions,
    /// The secret `payload-secret`: what the router says of callers is signed under it.
    pub(crate) identity: IdentityKey,
    /// `gateway_url` and the secrets `basic-auth-user` and `basic-auth-password`.
    pub(crate) gateway: Gateway,
    /// `customers_path`: tells whose a name is.
    pub(crate) customers: Customers,
    /// `functions_namespace`: what secrets are sealed for.
    pub(crate) namespace: String,
    /// `secrets_backend` and what goes with it.
    pub(crate) backend: Box<dyn Backend>,
    /// `builder_public_key`, or `builder_url` where it is asked for: whom build secrets are sealed for.
    pub(crate) builder: BuilderKey,
    /// `record_store` and what goes with it.
    pub(crate) records: Records,
    /// `import_timeout`: no change begins later than this after the first one.
    pub(crate) import_timeout: Duration,
}

impl Config {
    pub(crate) fn read(env: &Env) -> Result<Self, ConfigError> {
        let r = env.reader();
        let functions = Functions::read(&r);
        let payload_secret = env.secret("payload-secret").unwrap_or_default();
        let gateway = Gateway::read(&r);
        let customers = Customers::read(&r);
        let namespace = r.or("functions_namespace", DEFAULT_NAMESPACE.to_owned());
        let backend = backend(&r, &gateway, &namespace, &payload_secret);
        let builder = BuilderKey::read(&r);
        let records = Records::read(&r);
        let import_timeout = r.duration_or("import_timeout", Duration::from_secs(20));
        r.finish()?;
        Ok(Self {
            functions: functions?,
            identity: IdentityKey::derive(&payload_secret, SECRETS_FUNCTION),
            gateway: gateway?,
            customers: customers?,
            namespace: namespace?,
            backend: backend?,
            builder: builder?,
            records: records?,
            import_timeout: import_timeout?,
        })
    }
}

fn backend(
    r: &Reader<'_>,
    gateway: &Result<Gateway, Invalid>,
    namespace: &Result<String, Invalid>,
    payload_secret: &SecretString,
) -> Result<Box<dyn Backend>, Invalid> {
    let timeout = r.duration_or("secret_timeout", Duration::from_secs(10));
    match r.or("secrets_backend", "gateway".to_owned())?.as_str() {
        "gateway" => {
            let keys = Keys::read(r);
            let (gateway, namespace) = (gateway.clone()?, namespace.as_ref().map_err(|invalid| *invalid)?);
            let opener = Opener::new(keys?, namespace);
            Ok(Box::new(GatewayBackend::new(gateway, opener, namespace, payload_secret, timeout?)))
        }
        #[cfg(feature = "kubernetes")]
        "kubernetes" => {
            let namespace = namespace.as_ref().map_err(|invalid| *invalid)?;
            let config = crate::kubernetes::Config::read(r, namespace, timeout?)?;
            Ok(Box::new(crate::kubernetes::KubernetesBackend::new(&config)))
        }
        #[cfg(not(feature = "kubernetes"))]
        "kubernetes" => {
            let reason = "is kubernetes, and this program was built without the feature 'kubernetes'";
            Err(r.invalid("secrets_backend", reason))
        }
        other => Err(r.invalid("secrets_backend", format!("'{other}' is neither gateway nor kubernetes"))),
    }
}
