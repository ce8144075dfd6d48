//! `init.yaml`, as ofc-bootstrap reads it, as a configuration of ours. Every field is taken over, or named with the reason
//! why it is not.

mod merge;
mod secrets;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use of_router::Domain;
use secrecy::SecretString;

use super::answers;
use crate::config_file::tree::{self, Node};
use crate::config_file::{
    Acme, AppSettings, ConfigFile, GITHUB, Github, Gitlab, Listen, Problems, Registry, Section, SignIn, Source, Store,
    Target, Tenants, Tls, parse_address, read_bounded,
};
use crate::report::Trouble;

/// What an `init.yaml` came to.
#[derive(Debug)]
pub(crate) struct Imported {
    pub(crate) config: ConfigFile,
    /// Secrets that it has or names files of, by our names for them.
    pub(crate) secrets: Vec<(&'static str, SecretString)>,
    /// The fields that were left out, each with the reason.
    pub(crate) left_out: Vec<(String, &'static str)>,
}

/// The fields without a counterpart here.
const WITHOUT: &[(&str, &str)] = &[
    ("ingress", "of-router is reached by a Service or a port of yours"),
    ("network_policies", "they are always written"),
    ("enable_ecr", "repositories at ECR are not made here; make them before the first push, or use another registry"),
    ("ecr_config", "repositories at ECR are not made here; make them before the first push, or use another registry"),
    ("ingress_operator", "custom domains are the router's own (docs/edge.md)"),
    ("openfaas_operator", "any OpenFaaS gateway will do"),
    ("openfaas_cloud_version", "it is the version of this program"),
    ("features", "they were switches of the old program"),
];

/// Reads plan files; later ones go before earlier ones.
///
/// # Errors
/// When one cannot be read, or what they say together cannot be used.
pub(crate) fn import(files: &[PathBuf], target: Option<Target>, folder: PathBuf) -> anyhow::Result<Imported> {
    let shown = files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ");
    let mut merged: Option<Node> = None;
    for file in files {
        let node = read(file)?;
        merged = Some(merged.map_or_else(|| node.clone(), |below| merge::over(below, node.clone())));
    }
    let Some(merged) = merged else { return Err(Trouble::usage("no plan file was named").into()) };
    let problems = Problems::default();
    let read = of(&Section::root(&merged, &problems), target, files, folder);
    let problems = problems.into_sorted();
    match read {
        Some(read) if problems.is_empty() => Ok(read),
        _ => {
            let lines: String = problems.iter().map(|problem| format!("\n  {problem}")).collect();
            Err(Trouble::new(format!("{shown} cannot be taken over:{lines}"))
                .hint("mend it, or answer the questions of `ofc init` instead")
                .into())
        }
    }
}

fn read(file: &Path) -> anyhow::Result<Node> {
    let shown = file.display();
    let text = read_bounded(file).map_err(|cause| Trouble::new(format!("{shown} cannot be read")).because(cause))?;
    tree::read(&text).map_err(|cause| Trouble::new(format!("{shown} is not usable")).because(cause).into())
}

fn of(root: &Section<'_>, target: Option<Target>, files: &[PathBuf], folder: PathBuf) -> Option<Imported> {
    let mut left_out: Vec<(String, &'static str)> = Vec::new();
    let target = target.unwrap_or_else(|| orchestration(root, &mut left_out));
    if root.has("orchestration") && target != Target::Kubernetes {
        left_out.push(("orchestration".to_owned(), "another target was asked for"));
    }
    let beside = files.last().and_then(|file| file.parent()).map(Path::to_owned).unwrap_or_default();
    let found = secrets::read(root, &beside, &mut left_out);
    let domain = root.required::<Domain>("root_domain");
    let source = source(root, &mut left_out);
    let sign_in = source.as_ref().and_then(|source| sign_in(root, source));
    let tenants = tenants(root, &found);
    if matches!(tenants, Some(Tenants::List(_))) && root.has("customers_url") {
        left_out.push(("customers_url".to_owned(), "the list is in the secret customers"));
    }
    let tls = tls(root, target, &mut left_out);
    let registry = registry(root, &found);
    let store = store(root, target, &mut left_out);
    let mut secrets = found.values;
    secrets.extend(slack(root));
    let deployment = root.section("deployment");
    let templates = deployment.list("custom_templates").into_iter().map(|at| at.value).collect();
    deployment.finish();
    let build_branch = root.text("build_branch").filter(|branch| !branch.is_empty());
    let scale_to_zero = root.flag("scale_to_zero").unwrap_or(true);
    let dockerfiles = root.flag("enable_dockerfile_lang").unwrap_or(false);
    for (name, reason) in WITHOUT {
        if root.has(name) {
            left_out.push(((*name).to_owned(), reason));
        }
    }
    let unknown = root.unread().into_iter().map(|key| (key.name.clone(), "it is no field of ofc-bootstrap's"));
    left_out.extend(unknown.collect::<Vec<_>>());
    let base = answers::base(folder, domain?, target);
    let (tls, listen) = (tls.clone(), Listen::usual(&tls));
    let config = ConfigFile {
        build_branch,
        source: source?,
        tenants: tenants?,
        sign_in: sign_in?,
        tls,
        listen,
        registry: registry?,
        store: store?,
        scale_to_zero,
        templates,
        dockerfiles,
        ..base
    };
    Some(Imported { config, secrets, left_out })
}

fn orchestration(root: &Section<'_>, left_out: &mut Vec<(String, &'static str)>) -> Target {
    match root.text("orchestration").as_deref() {
        None | Some("kubernetes" | "") => {}
        Some(_) => left_out.push(("orchestration".to_owned(), "it is not kubernetes; say --target up or systemd")),
    }
    Target::Kubernetes
}

fn source(root: &Section<'_>, left_out: &mut Vec<(String, &'static str)>) -> Option<Source> {
    let (github, gitlab) = (root.section("github"), root.section("gitlab"));
    let scm = if root.has("scm") { root.choice("scm", &[("github", true), ("gitlab", false)])? } else { true };
    let id = github.number("app_id", 0, u64::MAX).filter(|id| *id > 0);
    for (name, reason) in [
        ("private_key_filename", "the key's file is called private-key here"),
        ("public_link", "GitHub says where the App's page is"),
    ] {
        if github.has(name) {
            left_out.push((format!("github.{name}"), reason));
        }
    }
    github.finish();
    let instance = gitlab.text("gitlab_instance").filter(|text| !text.is_empty());
    let instance = instance.map_or_else(
        || "https://gitlab.com".parse().ok(),
        |text| match parse_address(&text) {
            Ok(url) => Some(url),
            Err(sentence) => {
                gitlab.wrong("gitlab_instance", format!("cannot be used: {sentence}"));
                None
            }
        },
    );
    if scm {
        if gitlab.has("gitlab_instance") {
            left_out.push(("gitlab.gitlab_instance".to_owned(), "scm is github"));
        }
        let app = AppSettings { id, ..AppSettings::default() };
        gitlab.finish();
        Github::at(GITHUB.parse().ok()?, None, app).map(Source::Github)
    } else {
        gitlab.finish();
        Some(Source::Gitlab(Gitlab { url: instance?, topic: None }))
    }
}

fn sign_in(root: &Section<'_>, source: &Source) -> Option<SignIn> {
    let oauth = root.section("oauth");
    let client_id = oauth.text("client_id").filter(|id| !id.is_empty());
    let url = oauth.text("oauth_provider_base_url").filter(|text| !text.is_empty());
    let url = match url.map(|text| parse_address(&text)) {
        Some(Err(sentence)) => {
            oauth.wrong("oauth_provider_base_url", format!("cannot be used: {sentence}"));
            return None;
        }
        Some(Ok(url)) => Some(url),
        None => None,
    };
    let wanted = root.flag("enable_oauth").unwrap_or(false);
    let missing = client_id.is_none() && wanted;
    if missing {
        oauth.wrong("client_id", "is missing, and enable_oauth is true");
    }
    oauth.finish();
    match (wanted, client_id, source) {
        (false, ..) => Some(SignIn::Off),
        (true, Some(client_id), Source::Gitlab(gitlab)) => {
            Some(SignIn::Gitlab { url: url.unwrap_or_else(|| gitlab.url.clone()), client_id })
        }
        (true, Some(client_id), _) => {
            let url = url.or_else(|| GITHUB.parse().ok())?;
            Some(SignIn::Github { url, client_id: Some(client_id) })
        }
        (true, None, _) => None,
    }
}

fn tenants(root: &Section<'_>, found: &secrets::Found) -> Option<Tenants> {
    let by_secret = root.flag("customers_secret").unwrap_or(false);
    let url = root.text("customers_url").filter(|text| !text.is_empty());
    if let (true, Some(list)) = (by_secret || url.is_none(), &found.customers) {
        let lines = list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        return Some(Tenants::List(lines.map(str::to_owned).collect()));
    }
    let Some(text) = url else {
        root.wrong("customers_url", "is missing, and there is no secret customers with a file that is here");
        return None;
    };
    match parse_address(&text) {
        Ok(url) => Some(Tenants::At(url)),
        Err(sentence) => {
            root.wrong("customers_url", format!("cannot be used: {sentence}"));
            None
        }
    }
}

fn tls(root: &Section<'_>, target: Target, left_out: &mut Vec<(String, &'static str)>) -> Tls {
    let section = root.section("tls_config");
    let on = root.flag("tls").unwrap_or(false);
    let staging = section.text("issuer_type").as_deref() == Some("staging");
    let email = section.text("email").filter(|email| !email.is_empty());
    for name in ["dns_service", "project_id", "region", "access_key_id"] {
        if section.has(name) {
            left_out.push((
                format!("tls_config.{name}"),
                "a wildcard needs tls.dns_hook, a program of yours (docs/https.md)",
            ));
        }
    }
    section.finish();
    match (on, target) {
        (false, _) => Tls::Off,
        (true, Target::Kubernetes) => {
            left_out
                .push(("tls_config".to_owned(), "in a cluster the ingress or cert-manager ends encryption, as before"));
            Tls::Proxy
        }
        (true, Target::Up | Target::Systemd) => {
            Tls::Acme(Acme { email, staging, directory: None, ca_file: None, dns_hook: None })
        }
    }
}

fn registry(root: &Section<'_>, found: &secrets::Found) -> Option<Option<Registry>> {
    let Some(text) = root.text("registry").filter(|text| !text.is_empty()) else { return Some(None) };
    let bare = text.trim_end_matches('/');
    if !Registry::is_prefix(bare) {
        root.wrong("registry", "has to be like docker.io/acme/, in lower case");
        return None;
    }
    Some(Some(Registry { prefix: format!("{bare}/"), credentials: found.registry.clone() }))
}

fn store(root: &Section<'_>, target: Target, left_out: &mut Vec<(String, &'static str)>) -> Option<Store> {
    let section = root.section("s3");
    let (url, bucket) = (section.text("s3_url"), section.text("s3_bucket"));
    let (region, tls) = (section.text("s3_region"), section.flag("s3_tls").unwrap_or(false));
    section.finish();
    let Some(text) = url.filter(|text| !text.is_empty()) else { return Some(Store::Directory) };
    if target != Target::Kubernetes {
        left_out
            .push(("s3".to_owned(), "on one machine, logs are in a directory; say store.kind s3 if they shall not be"));
        return Some(Store::Directory);
    }
    let whole = if text.contains("://") { text } else { format!("{}://{text}", if tls { "https" } else { "http" }) };
    let Ok(url) = whole.parse() else {
        section_wrong(root);
        return None;
    };
    let (region, bucket) = (region.unwrap_or_else(|| "us-east-1".into()), bucket.unwrap_or_else(|| "pipeline".into()));
    Some(Store::S3 { url, region, bucket })
}

fn section_wrong(root: &Section<'_>) {
    root.wrong("s3", "has an s3_url that is no address");
}

/// Whoever has the address can post.
fn slack(root: &Section<'_>) -> Option<(&'static str, SecretString)> {
    let section = root.section("slack");
    let url = section.text("url").filter(|url| !url.is_empty());
    section.finish();
    Some(("slack-url", url?.into()))
}
