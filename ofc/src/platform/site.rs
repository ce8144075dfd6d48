//! What a configuration file decides: where repositories are, by which secrets the platform is known there, how it is
//! reached. Without a file, all of it is this machine's own.

use std::path::{Path, PathBuf};

use sdk::Env;

use super::listeners::Listeners;
use super::stage::Stage;
use crate::config_file::{AppRecord, ConfigFile, SignIn, Source, Store, Target, Tls};
use crate::data_dir::DataDir;
use crate::instance::{ForeignHost, Outside};
use crate::report::Trouble;
use crate::secrets::{AUTH_CLIENT, FOREIGN_APP_KEY, GITLAB_TOKEN, GITLAB_WEBHOOK, Secrets, WEBHOOK};

/// A host of repositories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Host {
    Own,
    Github,
    Gitlab,
}

/// The configuration file and what belongs to it.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub(super) config: Option<ConfigFile>,
    pub(super) stage: Stage,
    app_id: Option<u64>,
    client_id: Option<String>,
}

impl Site {
    /// Reads what `ofc init` has written down.
    ///
    /// # Errors
    /// When there is no App and there should be one.
    pub(super) fn of(
        config: Option<ConfigFile>,
        stage: Stage,
        data: &DataDir,
        given: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let Some(Source::Github(github)) = config.as_ref().map(|config| &config.source) else {
            return Ok(Self { config, stage, app_id: None, client_id: None });
        };
        let (mut app_id, mut client_id) = (github.app.id, github.app.client_id.clone());
        if app_id.is_none() {
            let given = given.map(AppRecord::load).transpose()?.flatten();
            let record = if given.is_some() { given } else { AppRecord::load(&data.secrets())? };
            let record = record.ok_or_else(|| no_app(github.url.as_str()))?;
            record.expect_of(github)?;
            (app_id, client_id) = (Some(record.id), Some(record.client_id));
        }
        Ok(Self { config, stage, app_id, client_id })
    }

    pub(super) fn host(&self) -> Host {
        match self.config.as_ref().map(|config| &config.source) {
            None | Some(Source::Local) => Host::Own,
            Some(Source::Github(_)) => Host::Github,
            Some(Source::Gitlab(_)) => Host::Gitlab,
        }
    }

    /// True if somebody can sign in.
    pub(super) fn signs_in(&self) -> bool {
        self.config.as_ref().is_none_or(|config| config.sign_in.is_on())
    }

    /// True if logs are kept in a bucket.
    pub(super) fn has_bucket(&self) -> bool {
        self.config.as_ref().is_some_and(|config| config.store != Store::Directory)
    }

    /// The file with the credentials of the registry.
    pub(super) fn registry_credentials(&self) -> Option<PathBuf> {
        self.stage.credentials().map(Path::to_owned)
    }

    /// Opens the secrets, and makes those that nobody else has to give.
    ///
    /// # Errors
    /// When one cannot be kept, or one is missing that another host gave.
    pub(super) fn secrets(&self, data: &DataDir, given: Option<PathBuf>) -> anyhow::Result<Secrets> {
        let secrets = match self.host() {
            Host::Own => Secrets::open(data.secrets(), given)?,
            Host::Github => Secrets::open_for_others(data.secrets(), given, &[])?,
            Host::Gitlab => Secrets::open_for_others(data.secrets(), given, &[GITLAB_WEBHOOK])?,
        };
        let mut needed = match self.host() {
            Host::Own => Vec::new(),
            Host::Github => vec![FOREIGN_APP_KEY, WEBHOOK],
            Host::Gitlab => vec![GITLAB_TOKEN],
        };
        needed.extend((self.host() != Host::Own && self.signs_in()).then_some(AUTH_CLIENT));
        needed.extend(self.has_bucket().then_some(["s3-access-key", "s3-secret-key"]).into_iter().flatten());
        let missing: Vec<_> = needed.into_iter().filter(|name| !secrets.has(name)).collect();
        if missing.is_empty() {
            return Ok(secrets);
        }
        let sentence = format!("{} is missing in {}", missing.join(", "), data.secrets().display());
        Err(Trouble::new(sentence)
            .hint("run `ofc init`: it makes what can be made, and says where the rest is from")
            .into())
    }

    /// What the record says about the world outside.
    pub(super) fn outside(&self, listeners: &Listeners) -> anyhow::Result<Option<Outside>> {
        let Some(config) = &self.config else { return Ok(None) };
        let port = match (&config.tls, &listeners.encrypted) {
            (Tls::Proxy, _) => 443,
            (Tls::Files { .. } | Tls::Acme(_), Some(listener)) => listener.local_addr()?.port(),
            _ => listeners.router_address.port(),
        };
        let host = match &config.source {
            Source::Local => None,
            Source::Github(github) => Some(ForeignHost {
                url: github.url.to_string(),
                api_url: Some(github.api_url.to_string()),
                app_id: self.app_id,
            }),
            Source::Gitlab(gitlab) => Some(ForeignHost { url: gitlab.url.to_string(), api_url: None, app_id: None }),
        };
        let secrets = (config.target == Target::Systemd).then(|| config.secrets());
        Ok(Some(Outside { scheme: config.scheme().to_owned(), port, secrets, host }))
    }

    /// The variables of all parts that follow from the file and the stage.
    pub(super) fn variables(&self) -> Vec<(&'static str, String)> {
        let mut all = self.stage.variables();
        let Some(config) = &self.config else { return all };
        all.extend(source(&config.source, self.app_id));
        all.extend(config.limits.iter().map(|(name, number)| (*name, number.to_string())));
        all.push(("scale_to_zero", config.scale_to_zero.to_string()));
        all.push(("enable_dockerfile_lang", config.dockerfiles.to_string()));
        if !config.templates.is_empty() {
            all.push(("custom_templates", config.templates.join(",")));
        }
        all.extend(config.prometheus.iter().map(|url| ("prometheus_url", url.to_string())));
        if let Store::S3 { url, region, bucket } = &config.store {
            let tls = (url.scheme() == "https").to_string();
            all.extend(["log_store", "function_log_store", "audit_store"].map(|store| (store, "s3".to_owned())));
            all.extend([("s3_url", authority(url)), ("s3_tls", tls)]);
            all.extend([("s3_region", region.clone()), ("s3_bucket", bucket.clone())]);
        }
        all
    }

    /// Whom of-auth asks who people are; nothing where that is the platform's own host.
    pub(super) fn sign_in(&self) -> anyhow::Result<Option<Vec<(&'static str, String)>>> {
        let Some(config) = &self.config else { return Ok(None) };
        let mut all = match &config.sign_in {
            SignIn::Local | SignIn::Off => return Ok(None),
            SignIn::Github { url, client_id } => {
                let client_id = client_id.as_ref().or(self.client_id.as_ref()).ok_or_else(no_client)?;
                vec![
                    ("oauth_provider", "github".to_owned()),
                    ("oauth_provider_base_url", url.to_string()),
                    ("client_id", client_id.clone()),
                ]
            }
            SignIn::Gitlab { url, client_id } => {
                vec![
                    ("oauth_provider", "gitlab".to_owned()),
                    ("oauth_provider_base_url", url.to_string()),
                    ("client_id", client_id.clone()),
                ]
            }
            SignIn::Oidc(oidc) => vec![
                ("oauth_provider", "oidc".to_owned()),
                ("oidc_issuer", oidc.issuer.clone()),
                ("client_id", oidc.client_id.clone()),
                ("oidc_groups", oidc.groups.join(",")),
                ("oidc_owner_host", oidc.owner_host.clone().unwrap_or_default()),
            ],
        };
        all.push(("operators", config.operators.join(",")));
        Ok(Some(all))
    }

    /// The router's encryption, as its own variables say it.
    pub(super) fn tls(&self, data: &DataDir) -> Option<Env> {
        let config = self.config.as_ref()?;
        let path = |path: &Path| config.at(path).to_string_lossy().into_owned();
        let mut all = match &config.tls {
            Tls::Off | Tls::Proxy => return None,
            Tls::Files { certificate, private_key } => {
                vec![("tls_certificate", path(certificate)), ("tls_private_key", path(private_key))]
            }
            Tls::Acme(acme) => {
                let usual = if acme.staging { "letsencrypt-staging" } else { "letsencrypt" };
                vec![
                    ("acme_directory", acme.directory.clone().unwrap_or_else(|| usual.to_owned())),
                    ("acme_accept_terms", "true".to_owned()),
                    ("acme_storage", data.certificates().to_string_lossy().into_owned()),
                    ("acme_contact", acme.email.clone().unwrap_or_default()),
                    ("acme_ca_file", acme.ca_file.as_deref().map(path).unwrap_or_default()),
                    ("acme_dns_hook", acme.dns_hook.as_deref().map(path).unwrap_or_default()),
                ]
            }
        };
        all.push(("https_port", config.listen.https.port().to_string()));
        Some(Env::from_map(all, [] as [(&str, &str); 0]))
    }
}

fn source(source: &Source, app_id: Option<u64>) -> Vec<(&'static str, String)> {
    match source {
        Source::Local => Vec::new(),
        Source::Github(github) => {
            let url = github.url.as_str().trim_end_matches('/').to_owned();
            let host = github.url.host_str().unwrap_or_default();
            let mut all = vec![("git_hosts", format!("{host}={url}")), ("github_url", url)];
            all.push(("github_api_url", github.api_url.as_str().trim_end_matches('/').to_owned()));
            all.extend(app_id.map(|id| ("github_app_id", id.to_string())));
            all
        }
        Source::Gitlab(gitlab) => {
            let mut all = vec![("gitlab_instance", gitlab.url.to_string())];
            all.extend(gitlab.topic.iter().map(|topic| ("installation_tag", topic.clone())));
            all
        }
    }
}

/// Host and port, as the variable has them.
fn authority(url: &url::Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn no_app(url: &str) -> anyhow::Error {
    Trouble::new(format!("the platform has no GitHub App at {url} yet"))
        .hint("make one with `ofc init`, or put the number of one into ofc.yml: source.app.id")
        .into()
}

fn no_client() -> anyhow::Error {
    Trouble::new("nobody can sign in: it is not known by which client")
        .hint("put the App's client id into ofc.yml, source.app.client_id, or turn it off: sign_in.provider off")
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config_file::APP_RECORD;

    fn site(folder: &Path, text: &str) -> anyhow::Result<(Site, DataDir)> {
        let config = ConfigFile::parse(text, folder.to_owned()).unwrap();
        let data = DataDir::create(&config.data())?;
        let stage = Stage::new(None, None, None, Some(&config));
        Ok((Site::of(Some(config), stage, &data, None)?, data))
    }

    fn value<'a>(all: &'a [(&'static str, String)], name: &str) -> &'a str {
        all.iter().rev().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }

    #[test]
    fn an_app_is_known_by_its_record_and_is_of_one_github() {
        let folder = tempfile::tempdir().unwrap();
        let text = "{domain: a.io, data: d, tenants: [a], source: {host: github}}";
        let error = site(folder.path(), text).unwrap_err();
        assert!(crate::report::render(&error).contains("`ofc init`"), "{error}");
        let secrets = folder.path().join("d/secrets");
        std::fs::create_dir_all(&secrets).unwrap();
        let record = |github: &str| {
            let text = format!(
                "{{\"github\": \"{github}\", \"id\": 7, \"slug\": \"s\", \"client_id\": \"Iv1\", \"html_url\": \"h\"}}"
            );
            std::fs::write(secrets.join(APP_RECORD), text).unwrap();
        };
        record("https://ghe.example.com");
        assert!(site(folder.path(), text).unwrap_err().to_string().contains("and not of https://github.com"));
        record("https://github.com/");
        let (site, data) = site(folder.path(), text).unwrap();
        let variables = site.variables();
        assert_eq!(value(&variables, "github_app_id"), "7");
        assert_eq!(value(&variables, "github_api_url"), "https://api.github.com");
        assert_eq!(value(&variables, "git_hosts"), "github.com=https://github.com");
        assert_eq!(value(&site.sign_in().unwrap().unwrap(), "client_id"), "Iv1");
        let error = site.secrets(&data, None).unwrap_err();
        assert!(
            error.to_string().contains("private-key, github-webhook-secret, of-client-secret is missing"),
            "{error}"
        );
        // Nothing was made that GitHub has to give.
        assert!(!data.secrets().join(WEBHOOK).exists());
    }

    #[test]
    fn encryption_is_told_in_the_router_s_own_words() {
        let folder = tempfile::tempdir().unwrap();
        let tls = |text: &str| {
            let (site, data) = site(folder.path(), &format!("{{domain: a.io, data: d, tls: {text}}}")).unwrap();
            let env = site.tls(&data)?;
            let reader = env.reader();
            let settings = of_router::tls::Settings::read(&reader, "a.io".parse().unwrap());
            reader.finish().unwrap();
            settings.unwrap()
        };
        assert!(tls("{mode: off}").is_none() && tls("{mode: proxy}").is_none());
        let files = tls("{mode: files, certificate: c.pem, private_key: k.pem}").unwrap().files.pair.unwrap();
        assert_eq!(files.0, folder.path().join("c.pem"));
        let acme = tls("{mode: acme, email: o@a.io, staging: true, accept_terms: true}").unwrap().acme.unwrap();
        assert!(acme.directory.as_str().contains("staging") && acme.contact == ["o@a.io"]);
        assert_eq!(acme.storage, folder.path().canonicalize().unwrap().join("d/acme"));
    }

    #[test]
    fn gitlab_and_a_bucket_need_what_others_give() {
        let folder = tempfile::tempdir().unwrap();
        let text = "{domain: a.io, data: d, tenants: [a], source: {host: gitlab, topic: deploy}, sign_in: {provider: off}, \
                    store: {kind: s3, url: 'https://s3.a.io:9000', bucket: logs}}";
        let (site, data) = site(folder.path(), text).unwrap();
        let error = site.secrets(&data, None).unwrap_err().to_string();
        assert!(error.contains("gitlab-api-token, s3-access-key, s3-secret-key is missing"), "{error}");
        assert!(data.secrets().join(GITLAB_WEBHOOK).exists());
        let variables = site.variables();
        assert_eq!((value(&variables, "s3_url"), value(&variables, "s3_tls")), ("s3.a.io:9000", "true"));
        for store in ["log_store", "function_log_store", "audit_store"] {
            assert_eq!(value(&variables, store), "s3", "{store}");
        }
        assert_eq!(value(&variables, "installation_tag"), "deploy");
        assert!(!site.signs_in() && site.has_bucket());
    }
}
