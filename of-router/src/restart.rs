//! What a reload leaves as it is.

use sdk::Env;
use secrecy::ExposeSecret;

/// Variables that count at the start only.
const VARIABLES: [&str; 32] = [
    "listen_address",
    "https_address",
    "https_port",
    "https_redirect",
    "hsts",
    "hsts_include_subdomains",
    "tls_certificate",
    "tls_private_key",
    "tls_certificate_folder",
    "tls_reload_interval",
    "tls_handshake_timeout",
    "acme_directory",
    "acme_accept_terms",
    "acme_storage",
    "acme_ca_file",
    "acme_contact",
    "acme_hosts",
    "acme_challenges",
    "acme_dns_hook",
    "acme_dns_names",
    "acme_dns_hook_timeout",
    "acme_eab_key_id",
    "acme_wait",
    "acme_retry",
    "acme_orders_per_hour",
    "acme_owner_orders_per_hour",
    "customers_path",
    "max_connections",
    "workers",
    "access_log",
    "metrics_address",
    "secret_mount_path",
];
/// The same of secrets.
const SECRETS: [&str; 1] = ["acme-eab-hmac-key"];

/// The settings that differ between the start and now, and have no effect before the next start.
pub(crate) fn waits_for(start: &Env, now: &Env) -> Vec<&'static str> {
    let variable = |name: &&str| start.var(name) != now.var(name);
    let secret = |name: &&str| {
        let value = |env: &Env| env.secret(name).map(|secret| secret.expose_secret().to_owned());
        value(start) != value(now)
    };
    VARIABLES.into_iter().filter(variable).chain(SECRETS.into_iter().filter(secret)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    use super::*;

    /// Variables and secrets that a reload reads anew.
    const ANEW: [&str; 27] = [
        "auth_public_url",
        "auth_url",
        "basic-auth-password",
        "basic-auth-user",
        "client_idle_timeout",
        "client_timeout",
        "custom_domains",
        "dns_server",
        "domain",
        "drain_idle_timeout",
        "gateway_url",
        "git_timeout",
        "git_url",
        "idle_timeout",
        "max_body_bytes",
        "max_client_connections",
        "max_connection_requests",
        "max_git_body_bytes",
        "max_head_bytes",
        "max_headers",
        "max_streams",
        "owner_burst",
        "owner_max_concurrent",
        "owner_requests_per_second",
        "payload-secret",
        "public_scheme",
        "upstream_timeout",
    ];

    fn sources(folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let below = |path: PathBuf| if path.is_dir() { sources(&path) } else { vec![path] };
        entries.flat_map(below).collect()
    }

    /// The settings that a source reads: what stands as a text behind these calls.
    fn settings(source: &str) -> BTreeSet<String> {
        let calls = ["var", "secret", "required", "or", "optional", "duration_or", "flag", "list", "optional_secret"];
        let product = source.split("#[cfg(test)]").next().unwrap_or_default();
        let mut found = BTreeSet::new();
        for (at, _) in product.match_indices('.') {
            let after = &product[at + 1..];
            let name: String = after.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            let Some((before, argument)) = after[name.len()..].split_once('(') else { continue };
            let text = argument.trim_start().strip_prefix('"').and_then(|text| text.split('"').next());
            let plain = before.is_empty() || before.starts_with("::<") && before.ends_with('>');
            if let Some(text) = text.filter(|_| plain && calls.contains(&name.as_str())) {
                found.insert(text.to_owned());
            }
        }
        found
    }

    #[test]
    fn every_setting_waits_for_a_restart_or_is_read_anew_and_is_explained() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        // How long to fuzz is a setting of the tests.
        let product = sources(&here.join("src")).into_iter().filter(|path| !path.ends_with("property/fuzz.rs"));
        let texts = product.map(|path| std::fs::read_to_string(path).unwrap());
        let mut read: BTreeSet<String> = texts.flat_map(|text| settings(&text)).collect();
        // The runtime reads this one.
        read.insert("secret_mount_path".to_owned());
        let listed = || VARIABLES.into_iter().chain(SECRETS).chain(ANEW);
        let known: BTreeSet<String> = listed().map(str::to_owned).collect();
        assert_eq!(known.len(), listed().count(), "a setting is in both lists, or twice in one");
        assert_eq!(read, known, "a new setting belongs into one of the lists");

        let guides = ["docs/edge.md", "docs/edge-operation.md", "docs/https.md", "of-router/README.md"];
        let guides = guides.map(|path| std::fs::read_to_string(here.join("..").join(path)).unwrap()).concat();
        let silent: Vec<_> = known.iter().filter(|name| !guides.contains(&format!("`{name}`"))).collect();
        assert!(silent.is_empty(), "no guide explains {silent:?}");
    }

    #[test]
    fn what_has_to_wait_is_named_and_nothing_else() {
        let env = |vars: &[(&str, &str)], key: &str| {
            Env::from_map(vars.iter().copied(), [("acme-eab-hmac-key", key), ("payload-secret", key)])
        };
        let start = env(&[("tls_certificate", "/a"), ("hsts", "1h"), ("client_timeout", "5s")], "k");
        assert!(waits_for(&start, &start).is_empty());
        let now = env(&[("tls_certificate", "/b"), ("hsts", "1h"), ("client_timeout", "6s"), ("workers", "2")], "k");
        assert_eq!(waits_for(&start, &now), ["tls_certificate", "workers"]);
        let now = env(&[("tls_certificate", "/a"), ("client_timeout", "5s")], "l");
        assert_eq!(waits_for(&start, &now), ["hsts", "acme-eab-hmac-key"]);
    }
}
