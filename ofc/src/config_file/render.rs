//! A configuration as a file: equal configurations have equal bytes.

use std::fmt::Write;
use std::path::Path;

use super::{Acme, ConfigFile, Github, LIMITS, Listen, SEALING_KEY_DAYS, SignIn, Source, Store, Target, Tenants, Tls};

/// The file's text.
pub(crate) fn render(config: &ConfigFile) -> String {
    let mut text = String::from("# One installation of OpenFaaS Cloud; docs/init.md describes every key.\n");
    let mut lines = Vec::new();
    lines.push(format!("domain: {}", quoted(config.domain.as_str())));
    lines.push(format!("target: {}", config.target));
    lines.extend(config.build_branch.as_ref().map(|branch| format!("build_branch: {}", quoted(branch))));
    if config.data != config.target.usual_data() {
        lines.push(format!("data: {}", path(&config.data)));
    }
    source(&config.source, &mut lines);
    tenants(config, &mut lines);
    sign_in(config, &mut lines);
    tls(&config.tls, &mut lines);
    listen(config, &mut lines);
    if let Some(registry) = &config.registry {
        lines.push(format!("registry:\n  prefix: {}", quoted(&registry.prefix)));
        lines.extend(registry.credentials.iter().map(|file| format!("  credentials: {}", path(file))));
    }
    if let Store::S3 { url, region, bucket } = &config.store {
        let (url, region, bucket) = (quoted(url.as_str()), quoted(region), quoted(bucket));
        lines.push(format!("store:\n  kind: s3\n  url: {url}\n  region: {region}\n  bucket: {bucket}"));
    }
    limits(config, &mut lines);
    list("templates", &config.templates, &mut lines);
    if !config.dockerfiles {
        lines.push("dockerfiles: false".to_owned());
    }
    if let Some(prometheus) = &config.prometheus {
        lines.push(format!("prometheus: {}", quoted(prometheus.as_str())));
    }
    if config.sealing_key_days != SEALING_KEY_DAYS {
        lines.push(format!("sealing_key_days: {}", config.sealing_key_days));
    }
    for line in lines {
        let _ = writeln!(text, "{line}");
    }
    text
}

/// A value in double quotes, as JSON and YAML alike have them.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn path(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

fn list(key: &str, all: &[String], lines: &mut Vec<String>) {
    if !all.is_empty() {
        lines.push(format!("{key}:"));
        lines.extend(all.iter().map(|element| format!("  - {}", quoted(element))));
    }
}

fn source(source: &Source, lines: &mut Vec<String>) {
    match source {
        Source::Local => {}
        Source::Github(github) => lines.push(self::github(github)),
        Source::Gitlab(gitlab) => {
            lines.push(format!("source:\n  host: gitlab\n  url: {}", quoted(gitlab.url.as_str())));
            lines.extend(gitlab.topic.iter().map(|topic| format!("  topic: {}", quoted(topic))));
        }
    }
}

fn github(github: &Github) -> String {
    let mut text = format!("source:\n  host: github\n  url: {}", quoted(github.url.as_str()));
    let usual = Github::at(github.url.clone(), None, github.app.clone());
    if usual.as_ref() != Some(github) {
        let _ = write!(text, "\n  api_url: {}", quoted(github.api_url.as_str()));
    }
    let app = &github.app;
    let mut settings = Vec::new();
    settings.extend(app.id.map(|id| format!("    id: {id}")));
    settings.extend(app.client_id.as_ref().map(|id| format!("    client_id: {}", quoted(id))));
    settings.extend(app.name.as_ref().map(|name| format!("    name: {}", quoted(name))));
    settings.extend(app.organisation.as_ref().map(|login| format!("    organisation: {}", quoted(login))));
    settings.extend(app.public.then(|| "    public: true".to_owned()));
    if !settings.is_empty() {
        let _ = write!(text, "\n  app:\n{}", settings.join("\n"));
    }
    text
}

fn tenants(config: &ConfigFile, lines: &mut Vec<String>) {
    match &config.tenants {
        Tenants::List(all) => list("tenants", all, lines),
        Tenants::At(url) => lines.push(format!("tenants: {}", quoted(url.as_str()))),
        Tenants::OfTheHost => {}
    }
    list("operators", &config.operators, lines);
}

fn sign_in(config: &ConfigFile, lines: &mut Vec<String>) {
    let client = |id: &str| format!("  client_id: {}", quoted(id));
    match &config.sign_in {
        SignIn::Local => {}
        SignIn::Off => lines.push("sign_in:\n  provider: off".to_owned()),
        SignIn::Github { url, client_id } => {
            lines.push(format!("sign_in:\n  provider: github\n  url: {}", quoted(url.as_str())));
            lines.extend(client_id.as_deref().map(client));
        }
        SignIn::Gitlab { url, client_id } => {
            lines.push(format!("sign_in:\n  provider: gitlab\n  url: {}", quoted(url.as_str())));
            lines.push(client(client_id));
        }
        SignIn::Oidc(oidc) => {
            lines.push(format!("sign_in:\n  provider: oidc\n  issuer: {}", quoted(&oidc.issuer)));
            lines.push(client(&oidc.client_id));
            lines.extend(oidc.owner_host.iter().map(|host| format!("  owner_host: {}", quoted(host))));
            if !oidc.groups.is_empty() {
                lines.push("  groups:".to_owned());
                lines.extend(oidc.groups.iter().map(|group| format!("    - {}", quoted(group))));
            }
        }
    }
}

fn tls(tls: &Tls, lines: &mut Vec<String>) {
    match tls {
        Tls::Off => {}
        Tls::Proxy => lines.push("tls:\n  mode: proxy".to_owned()),
        Tls::Files { certificate, private_key } => {
            let (certificate, key) = (path(certificate), path(private_key));
            lines.push(format!("tls:\n  mode: files\n  certificate: {certificate}\n  private_key: {key}"));
        }
        Tls::Acme(acme) => lines.push(self::acme(acme)),
    }
}

fn acme(acme: &Acme) -> String {
    let mut text = "tls:\n  mode: acme\n  accept_terms: true".to_owned();
    if let Some(email) = &acme.email {
        let _ = write!(text, "\n  email: {}", quoted(email));
    }
    if acme.staging {
        text.push_str("\n  staging: true");
    }
    if let Some(directory) = &acme.directory {
        let _ = write!(text, "\n  directory: {}", quoted(directory));
    }
    for (key, file) in [("ca_file", &acme.ca_file), ("dns_hook", &acme.dns_hook)] {
        if let Some(file) = file {
            let _ = write!(text, "\n  {key}: {}", path(file));
        }
    }
    text
}

fn listen(config: &ConfigFile, lines: &mut Vec<String>) {
    let (given, usual) = (config.listen, Listen::usual(&config.tls));
    if given == usual || config.target == Target::Kubernetes {
        return;
    }
    lines.push("listen:".to_owned());
    lines.extend((given.http != usual.http).then(|| format!("  http: {}", quoted(&given.http.to_string()))));
    lines.extend((given.https != usual.https).then(|| format!("  https: {}", quoted(&given.https.to_string()))));
    lines.extend((given.gateway != usual.gateway).then(|| format!("  gateway: {}", given.gateway)));
    lines.extend(given.metrics.map(|port| format!("  metrics: {port}")));
}

fn limits(config: &ConfigFile, lines: &mut Vec<String>) {
    if config.limits.is_empty() && config.scale_to_zero {
        return;
    }
    lines.push("limits:".to_owned());
    for (key, variable, _) in LIMITS {
        let found = config.limits.iter().find(|(known, _)| known == variable);
        lines.extend(found.map(|(_, number)| format!("  {key}: {number}")));
    }
    if !config.scale_to_zero {
        lines.push("  scale_to_zero: false".to_owned());
    }
}
