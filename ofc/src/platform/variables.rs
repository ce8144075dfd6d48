//! What each part is told: the variables and secrets that a container would get from `stack.yml`.

use std::path::PathBuf;

use sdk::Env;
use secrecy::{ExposeSecret, SecretString};

use super::listeners::Listeners;
use super::site::{Host, Site};
use crate::data_dir::DataDir;
use crate::instance::Record;
use crate::secrets::{self, Secrets};

/// The variables that all parts share, and the secrets that each asks for by name.
pub(super) struct Variables {
    shared: Vec<(&'static str, String)>,
    secrets: Secrets,
    site: Site,
}

impl Variables {
    pub(super) fn new(
        data: &DataDir,
        record: &Record,
        listeners: &Listeners,
        secrets: Secrets,
        templates: PathBuf,
        site: Site,
    ) -> Self {
        let path = |path: PathBuf| path.to_string_lossy().into_owned();
        let mut shared = vec![
            ("gateway_url", record.gateway_url()),
            ("gateway_public_url", record.root_url()),
            ("gateway_pretty_url", format!("{}/function", record.url("user"))),
            ("builder_url", format!("http://{}", listeners.builder_address)),
            ("customers_path", path(data.customers())),
            ("template_directory", path(templates)),
            ("log_directory", path(data.pipeline_logs())),
            ("function_log_directory", path(data.function_logs())),
            ("audit_file", path(data.audit())),
            ("audit_directory", path(data.audit_events())),
            ("work_directory", path(data.work())),
            ("cache_directory", path(data.work())),
            ("enable_dockerfile_lang", "true".to_owned()),
        ];
        if site.host() == Host::Own {
            shared.extend(own_host(record, listeners));
        }
        shared.extend(site.variables());
        Self { shared, secrets, site }
    }

    /// All secrets.
    pub(super) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// What a configuration file decides.
    pub(super) fn site(&self) -> &Site {
        &self.site
    }

    /// The environment of a part that may have these secrets, each under the name that the part uses.
    pub(super) fn env(&self, secrets: &[(&str, &str)]) -> anyhow::Result<Env> {
        self.env_with(Vec::new(), secrets)
    }

    /// The same, with variables that no other part has.
    pub(super) fn env_with(
        &self,
        variables: Vec<(&'static str, String)>,
        secrets: &[(&str, &str)],
    ) -> anyhow::Result<Env> {
        let mut given = Vec::new();
        for (name, file) in secrets {
            given.push(((*name).to_owned(), self.secrets.get(file)?.expose_secret().to_owned()));
        }
        Ok(Env::from_map(self.shared.iter().cloned().chain(variables), given))
    }

    /// One secret.
    pub(super) fn secret(&self, name: &str) -> anyhow::Result<SecretString> {
        self.secrets.get(name)
    }

    /// The name and password of the gateway's user.
    pub(super) fn gateway_login(&self) -> anyhow::Result<(String, SecretString)> {
        let user = self.secrets.get(secrets::GATEWAY_USER)?.expose_secret().to_owned();
        Ok((user, self.secrets.get(secrets::GATEWAY_PASSWORD)?))
    }
}

/// The platform's own git host.
fn own_host(record: &Record, listeners: &Listeners) -> Vec<(&'static str, String)> {
    let (host, git) = (format!("git.{}", record.domain), listeners.git_address);
    vec![
        ("github_url", record.git_url()),
        ("git_host_url", record.git_url()),
        // By address: not every resolver knows the names below the domain.
        ("git_hosts", format!("{host}=http://{git}")),
        ("github_app_id", secrets::GITHUB_APP_ID.to_string()),
        ("github_api_url", format!("http://{git}/api/v3")),
    ]
}
