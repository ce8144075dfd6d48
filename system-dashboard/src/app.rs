//! What all pages share.

use std::sync::Arc;

use sdk::call::Functions;
use sdk::gateway::Gateway;
use sdk::identity::IdentityKey;
use secrecy::SecretString;

use url::Url;

use crate::badges::Badges;
use crate::config::Config;
use crate::forms::Forms;
use crate::stream::Streams;

/// The name under which this function is told who calls.
const FUNCTION: &str = "system-dashboard";

/// Cloning shares it.
#[derive(Clone)]
pub(crate) struct App(Arc<Parts>);

pub(crate) struct Parts {
    pub(crate) functions: Functions,
    pub(crate) gateway: Gateway,
    /// For what is asked in the name of a person, or of a tenant's function.
    pub(crate) http: reqwest::Client,
    pub(crate) gateway_url: Url,
    pub(crate) identity: IdentityKey,
    /// Tells import-secrets in whose name it is asked.
    pub(crate) at_secrets: IdentityKey,
    pub(crate) forms: Forms,
    pub(crate) badges: Badges,
    /// Places of live pages.
    pub(crate) streams: Streams,
    pub(crate) pretty_url: Option<String>,
    pub(crate) git_host_url: Option<String>,
    pub(crate) builder_url: Option<Url>,
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    pub(crate) fn new(config: Config) -> Self {
        let secret: &SecretString = &config.payload_secret;
        Self(Arc::new(Parts {
            identity: IdentityKey::derive(secret, FUNCTION),
            at_secrets: IdentityKey::derive(secret, sdk::secrets::SECRETS_FUNCTION),
            forms: Forms::new(secret),
            badges: Badges::new(secret),
            functions: config.functions,
            gateway: config.gateway,
            http: sdk::http::client(),
            gateway_url: config.gateway_url,
            streams: Streams::new(config.streams),
            pretty_url: config.pretty_url,
            git_host_url: config.git_host_url,
            builder_url: config.builder_url,
        }))
    }

    /// Where the public calls a function, if that is known: `https://<owner>.<domain>/<function>`.
    pub(crate) fn public_url(&self, owner: &str, function: &str) -> Option<String> {
        let pretty = self.pretty_url.as_ref()?.replacen("user", owner, 1);
        let base = pretty.strip_suffix("/function").unwrap_or(&pretty);
        Some(format!("{base}/{function}"))
    }

    /// The platform's own address, if that is known: `https://system.<domain>`.
    pub(crate) fn system_url(&self) -> Option<String> {
        self.public_url("system", "").map(|url| url.trim_end_matches('/').to_owned())
    }

    /// An address at the gateway.
    pub(crate) fn at_gateway(&self, path: &str) -> Url {
        let mut url = self.gateway_url.clone();
        let prefix = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{prefix}/{path}"));
        url
    }
}
