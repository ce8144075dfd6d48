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
    use super::*;

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
