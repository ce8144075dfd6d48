//! The secrets of an `init.yaml`: literals and files are taken over, commands are not run. No value is ever quoted.

use std::path::{Path, PathBuf};

use secrecy::SecretString;

use crate::config_file::{Section, read_bounded};
use crate::init::keys::S3;
use crate::secrets::{
    AUTH_CLIENT, BUILDER, FOREIGN_APP_KEY, GATEWAY_PASSWORD, GATEWAY_USER, GITLAB_TOKEN, GITLAB_WEBHOOK, PAYLOAD,
    WEBHOOK,
};

/// The secret and the key in it, and our name for the value.
const KNOWN: &[(&str, &str, &str)] = &[
    ("basic-auth", GATEWAY_USER, GATEWAY_USER),
    ("basic-auth", GATEWAY_PASSWORD, GATEWAY_PASSWORD),
    ("payload-secret", "payload-secret", PAYLOAD),
    ("builder-payload-secret", "builder-payload-secret", BUILDER),
    ("github-webhook-secret", "github-webhook-secret", WEBHOOK),
    ("private-key", "private-key", FOREIGN_APP_KEY),
    ("of-client-secret", "of-client-secret", AUTH_CLIENT),
    ("gitlab-webhook-secret", "gitlab-webhook-secret", GITLAB_WEBHOOK),
    ("gitlab-api-token", "gitlab-api-token", GITLAB_TOKEN),
    ("s3-access-key", "s3-access-key", S3[0]),
    ("s3-secret-key", "s3-secret-key", S3[1]),
];

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) values: Vec<(&'static str, SecretString)>,
    /// The tenant list.
    pub(super) customers: Option<String>,
    /// The file with the credentials of the registry.
    pub(super) registry: Option<PathBuf>,
}

/// Reads `secrets`. Paths are counted from `beside`.
pub(super) fn read(root: &Section<'_>, beside: &Path, left_out: &mut Vec<(String, &'static str)>) -> Found {
    let mut found = Found::default();
    for secret in root.sections("secrets") {
        let name: String = secret.required("name").unwrap_or_default();
        // Where secrets live and for which kind of installation they are follows from the configuration.
        let _ = (secret.text("namespace"), secret.text("type"), secret.list("filters"));
        for literal in secret.sections("literals") {
            let key: String = literal.required("name").unwrap_or_default();
            let value = literal.text("value").filter(|value| !value.is_empty());
            literal.finish();
            match (of(&name, &key), value) {
                // A blank one is generated, as it was.
                (Some(_), None) => {}
                (Some(ours), Some(value)) => found.values.push((ours, value.into())),
                (None, _) => left_out.push((format!("secrets.{name}.{key}"), reason(&name))),
            }
        }
        for file in secret.sections("files") {
            let key: String = file.required("name").unwrap_or_default();
            let (from, command) = (file.text("value_from"), file.has("value_command"));
            file.finish();
            take(&name, &key, from.as_deref(), command, beside, &mut found, left_out);
        }
        secret.finish();
    }
    found
}

fn take(
    name: &str,
    key: &str,
    from: Option<&str>,
    command: bool,
    beside: &Path,
    found: &mut Found,
    left_out: &mut Vec<(String, &'static str)>,
) {
    let field = format!("secrets.{name}.{key}");
    let path = from.filter(|text| !text.is_empty()).map(|text| expanded(text, beside));
    match (name, path) {
        ("registry-secret" | "registry-pull-secret", Some(path)) => found.registry = Some(path),
        ("customers" | "of-customers", Some(path)) => match read_bounded(&path) {
            Ok(text) => found.customers = Some(text),
            Err(_) => left_out.push((field, "its file cannot be read")),
        },
        (_, Some(path)) => match (of(name, key), read_bounded(&path)) {
            (Some(ours), Ok(text)) if !text.trim().is_empty() => found.values.push((ours, text.into())),
            (Some(_), _) => left_out.push((field, "its file cannot be read, or is empty")),
            (None, _) => left_out.push((field, reason(name))),
        },
        (_, None) if command => left_out.push((field, "a command is not run: it is made here, or named at the end")),
        (_, None) => left_out.push((field, "it names no file")),
    }
}

fn of(name: &str, key: &str) -> Option<&'static str> {
    KNOWN.iter().find(|(secret, known, _)| *secret == name && *known == key).map(|(_, _, ours)| *ours)
}

fn reason(name: &str) -> &'static str {
    match name {
        "jwt-private-key" | "jwt-public-key" => "of-auth makes its own keys, or `ofc init` does",
        "sealedsecrets-public-key" => "the certificate is published by the platform itself",
        _ if name.contains("aws") || name.contains("ecr") || name.contains("route53") || name.contains("dns") => {
            "it is a cloud's, for something that is not done here"
        }
        _ => "no part of the platform uses it",
    }
}

/// `~/` is the user's folder.
fn expanded(text: &str, beside: &Path) -> PathBuf {
    let home = sdk::Env::from_process().var("HOME").map(PathBuf::from);
    match (text.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => beside.join(text),
    }
}
