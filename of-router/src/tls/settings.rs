//! What the edge is told about certificates at its start.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use sdk::{Invalid, Reader};
use secrecy::{ExposeSecret, SecretSlice};
use url::Url;

use super::acme::ChallengeKind;
use super::host::{Host, Name};
use crate::domain::Domain;

/// Encryption at the edge.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `domain`: the platform's.
    pub domain: Domain,
    /// Certificates from files.
    pub files: Files,
    /// Certificates ordered from an authority; `None` without `acme_directory`.
    pub acme: Option<Acme>,
    /// `tls_reload_interval`: how often files are looked at for changes.
    pub reload_interval: Duration,
    /// `tls_handshake_timeout`: how long a client may take for its part of the handshake.
    pub handshake_timeout: Duration,
    /// `https_redirect`: whether the plain port sends everybody to the encrypted one.
    pub redirect: bool,
    /// `https_port`: the port that redirects name; 443 is left out.
    pub public_port: u16,
    /// `hsts`: how long browsers are to remember that there is encryption; zero says nothing to them.
    pub hsts: Duration,
    /// `hsts_include_subdomains`: whether that holds for all names below the platform's hosts too.
    pub hsts_include_subdomains: bool,
}

/// Where certificates from files are.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// `tls_certificate` (a PEM chain, the host's own first) and `tls_private_key`.
    pub pair: Option<(PathBuf, PathBuf)>,
    /// `tls_certificate_folder`: pairs `<host>.crt` and `<host>.key`; `<host>` may be a wildcard.
    pub folder: Option<PathBuf>,
}

/// An authority that gives certificates by ACME (RFC 8555), and how it is asked.
#[derive(Debug, Clone)]
pub struct Acme {
    /// `acme_directory`: its address, or `letsencrypt` or `letsencrypt-staging`.
    pub directory: Url,
    /// `acme_ca_file`: PEM certificates that the authority's own HTTPS is verified with, instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// `acme_contact`: mail addresses that the authority may write to.
    pub contact: Vec<String>,
    /// `acme_eab_key_id` and secret `acme-eab-hmac-key`: an account there that this one is bound to.
    pub external_account: Option<ExternalAccount>,
    /// `acme_storage`: the folder for the account's key and the certificates.
    pub storage: PathBuf,
    /// `acme_hosts`: hosts that certificates may be ordered for, beside those that the platform knows.
    pub hosts: Vec<Host>,
    /// `acme_dns_names`: names, usually wildcards, that are ordered at the start by a DNS record.
    pub dns_names: Vec<Name>,
    /// `acme_dns_hook`: the program that makes and removes such records.
    pub dns_hook: Option<PathBuf>,
    /// `acme_dns_hook_timeout`: how long the program may take.
    pub dns_hook_timeout: Duration,
    /// `acme_challenges`: how hosts are proven that are ordered on demand, in order of preference.
    pub challenges: Vec<ChallengeKind>,
    /// `acme_wait`: how long a handshake waits for the certificate that it made necessary.
    pub wait: Duration,
    /// `acme_orders_per_hour`: the most orders within an hour.
    pub orders_per_hour: u32,
    /// `acme_owner_orders_per_hour`: the most orders within an hour for the hosts of one owner.
    pub owner_orders_per_hour: u32,
    /// `acme_retry`: the wait after a host's first failure; each further one waits four times longer, up to 12 h.
    pub retry: Duration,
}

/// An account at the authority that is known to it by other means than ACME.
#[derive(Debug, Clone)]
pub struct ExternalAccount {
    /// The key's name.
    pub key_id: String,
    /// The key.
    pub hmac_key: SecretSlice<u8>,
}

impl Settings {
    /// Settings without any certificate, and the usual limits.
    pub fn new(domain: Domain) -> Self {
        Self {
            domain,
            files: Files::default(),
            acme: None,
            reload_interval: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(10),
            redirect: true,
            public_port: 443,
            hsts: Duration::from_secs(180 * 86400),
            hsts_include_subdomains: false,
        }
    }

    /// Reads the settings; `None` if there is neither a file nor an authority. The reader collects what is wrong.
    ///
    /// # Errors
    /// When any value is wrong; the reader knows which.
    pub fn read(reader: &Reader<'_>, domain: Domain) -> Result<Option<Self>, Invalid> {
        let usual = Self::new(domain);
        let files = Files::read(reader);
        let acme = Acme::read(reader, &usual.domain);
        let reload_interval = reader.duration_or("tls_reload_interval", usual.reload_interval);
        let handshake_timeout = reader.duration_or("tls_handshake_timeout", usual.handshake_timeout);
        let redirect = reader.flag("https_redirect", usual.redirect);
        let public_port = reader.or("https_port", usual.public_port);
        let hsts = reader.duration_or("hsts", usual.hsts);
        let hsts_include_subdomains = reader.flag("hsts_include_subdomains", usual.hsts_include_subdomains);
        let settings = Self {
            files: files?,
            acme: acme?,
            reload_interval: reload_interval?,
            handshake_timeout: handshake_timeout?,
            redirect: redirect?,
            public_port: public_port?,
            hsts: hsts?,
            hsts_include_subdomains: hsts_include_subdomains?,
            ..usual
        };
        let on = settings.acme.is_some() || settings.files.pair.is_some() || settings.files.folder.is_some();
        Ok(on.then_some(settings))
    }
}

impl Files {
    fn read(reader: &Reader<'_>) -> Result<Self, Invalid> {
        let certificate = reader.optional::<PathBuf>("tls_certificate")?;
        let key = reader.optional::<PathBuf>("tls_private_key")?;
        let pair = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => return Err(reader.invalid("tls_private_key", "is not set, but tls_certificate is")),
            (None, Some(_)) => return Err(reader.invalid("tls_certificate", "is not set, but tls_private_key is")),
        };
        Ok(Self { pair, folder: reader.optional("tls_certificate_folder")? })
    }
}

impl Acme {
    /// An authority with the usual limits.
    pub fn new(directory: Url, storage: impl Into<PathBuf>) -> Self {
        Self {
            directory,
            ca_file: None,
            contact: vec![],
            external_account: None,
            storage: storage.into(),
            hosts: vec![],
            dns_names: vec![],
            dns_hook: None,
            dns_hook_timeout: Duration::from_secs(120),
            challenges: vec![ChallengeKind::TlsAlpn01, ChallengeKind::Http01],
            wait: Duration::from_secs(20),
            orders_per_hour: 60,
            owner_orders_per_hour: 10,
            retry: Duration::from_secs(60),
        }
    }

    fn read(reader: &Reader<'_>, domain: &Domain) -> Result<Option<Self>, Invalid> {
        let Some(directory) = reader.optional::<String>("acme_directory")? else { return Ok(None) };
        let directory = directory_url(reader, &directory);
        if !matches!(reader.flag("acme_accept_terms", false), Ok(true)) {
            let _ = reader.invalid("acme_accept_terms", "has to be true: read the authority's terms of service first");
        }
        let storage = reader.required::<PathBuf>("acme_storage");
        let usual = Self::new(directory?, storage?);
        let dns_hook = reader.optional::<PathBuf>("acme_dns_hook")?;
        let dns_names = names(reader, "acme_dns_names", reader.list("acme_dns_names"));
        let hosts = names(reader, "acme_hosts", reader.list("acme_hosts"));
        let contact = contact(reader);
        let challenges = names(reader, "acme_challenges", reader.list("acme_challenges"));
        let external_account = external_account(reader);
        let dns_hook_timeout = reader.duration_or("acme_dns_hook_timeout", usual.dns_hook_timeout);
        let wait = reader.duration_or("acme_wait", usual.wait);
        let orders_per_hour = reader.or("acme_orders_per_hour", usual.orders_per_hour);
        let owner_orders_per_hour = reader.or("acme_owner_orders_per_hour", usual.owner_orders_per_hour);
        let retry = reader.duration_or("acme_retry", usual.retry);
        let challenges: Vec<ChallengeKind> = challenges?;
        let dns_names = match (dns_names?, &dns_hook) {
            (names, None) if !names.is_empty() => {
                return Err(reader.invalid("acme_dns_hook", "is not set, but acme_dns_names needs it"));
            }
            (names, Some(_)) if names.is_empty() => usual_dns_names(reader, domain)?,
            (names, _) => names,
        };
        Ok(Some(Self {
            ca_file: reader.optional("acme_ca_file")?,
            contact: contact?,
            external_account: external_account?,
            hosts: hosts?,
            dns_names,
            dns_hook,
            dns_hook_timeout: dns_hook_timeout?,
            challenges: if challenges.is_empty() { usual.challenges } else { challenges },
            wait: wait?,
            orders_per_hour: orders_per_hour?,
            owner_orders_per_hour: owner_orders_per_hour?,
            retry: retry?,
            ..usual
        }))
    }
}

fn directory_url(reader: &Reader<'_>, text: &str) -> Result<Url, Invalid> {
    let text = match text {
        "letsencrypt" => "https://acme-v02.api.letsencrypt.org/directory",
        "letsencrypt-staging" => "https://acme-staging-v02.api.letsencrypt.org/directory",
        other => other,
    };
    let url = Url::parse(text).ok().filter(|url| url.scheme() == "https" && url.has_host());
    url.ok_or_else(|| {
        reader.invalid("acme_directory", "has to be letsencrypt, letsencrypt-staging or an https:// address")
    })
}

/// All that a wildcard is needed for: owners, and the platform's pages two labels below the domain.
fn usual_dns_names(reader: &Reader<'_>, domain: &Domain) -> Result<Vec<Name>, Invalid> {
    let usual = [format!("{domain}"), format!("*.{domain}"), format!("*.system.{domain}")];
    names(reader, "acme_dns_names", usual.to_vec())
}

fn names<T>(reader: &Reader<'_>, variable: &str, list: Vec<String>) -> Result<Vec<T>, Invalid>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let parse = |text: String| text.parse().map_err(|error| reader.invalid(variable, format!("'{text}' {error}")));
    list.into_iter().map(parse).collect()
}

fn contact(reader: &Reader<'_>) -> Result<Vec<String>, Invalid> {
    let fine =
        |text: &String| text.contains('@') && !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == ':');
    let list = reader.list("acme_contact");
    match list.iter().find(|text| !fine(text)) {
        Some(wrong) => Err(reader.invalid("acme_contact", format!("'{wrong}' is not a mail address"))),
        None => Ok(list),
    }
}

fn external_account(reader: &Reader<'_>) -> Result<Option<ExternalAccount>, Invalid> {
    let Some(key_id) = reader.optional::<String>("acme_eab_key_id")? else { return Ok(None) };
    let key = reader.secret("acme-eab-hmac-key")?;
    // Authorities hand it out as base64url, with or without padding.
    let key = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(key.expose_secret().trim_end_matches('='));
    let key = key.map_err(|_| reader.invalid("acme-eab-hmac-key", "is not base64url"))?;
    Ok(Some(ExternalAccount { key_id, hmac_key: key.into() }))
}

#[cfg(test)]
mod tests {
    use sdk::Env;

    use super::*;

    fn read(vars: &[(&str, &str)], secrets: &[(&str, &str)]) -> Result<Option<Settings>, String> {
        let env = Env::from_map(vars.iter().copied(), secrets.iter().copied());
        let reader = env.reader();
        let settings = Settings::read(&reader, "example.com".parse().unwrap());
        reader.finish().map_err(|error| error.to_string())?;
        Ok(settings.unwrap())
    }

    #[test]
    fn without_a_certificate_there_is_no_encryption() {
        assert!(read(&[], &[]).unwrap().is_none());
        let settings = read(&[("tls_certificate_folder", "/c"), ("hsts", "0")], &[]).unwrap().unwrap();
        assert!(settings.hsts.is_zero() && settings.redirect && settings.acme.is_none());
    }

    #[test]
    fn an_authority_is_read_whole() {
        let vars = [
            ("acme_directory", "letsencrypt-staging"),
            ("acme_accept_terms", "true"),
            ("acme_storage", "/s"),
            ("acme_contact", "ops@example.com"),
            ("acme_dns_hook", "/hook"),
            ("acme_challenges", "http-01"),
            ("acme_eab_key_id", "kid"),
        ];
        let acme = read(&vars, &[("acme-eab-hmac-key", "AQID")]).unwrap().unwrap().acme.unwrap();
        assert!(acme.directory.as_str().contains("staging"));
        let names: Vec<_> = acme.dns_names.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["example.com", "*.example.com", "*.system.example.com"]);
        assert_eq!(acme.challenges, [ChallengeKind::Http01]);
        assert_eq!(acme.external_account.unwrap().hmac_key.expose_secret(), [1, 2, 3]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let acme = [("acme_directory", "letsencrypt"), ("acme_accept_terms", "true"), ("acme_storage", "/s")];
        let with = |more: &[(&'static str, &'static str)]| [&acme[..], more].concat();
        let cases = [
            (vec![("tls_certificate", "/c")], "tls_private_key is not set"),
            (vec![("tls_private_key", "/c")], "tls_certificate is not set"),
            (vec![("acme_directory", "http://ca"), ("acme_accept_terms", "true")], "acme_directory has to be"),
            (vec![("acme_directory", "letsencrypt")], "acme_accept_terms has to be true"),
            (vec![("acme_directory", "letsencrypt")], "acme_storage is not set"),
            (with(&[("acme_dns_names", "*.a.com")]), "acme_dns_hook is not set"),
            (with(&[("acme_hosts", "a b")]), "acme_hosts 'a b' has to be"),
            (with(&[("acme_contact", "nobody")]), "acme_contact 'nobody'"),
            (with(&[("acme_challenges", "dns-01")]), "acme_challenges 'dns-01'"),
            (with(&[("acme_eab_key_id", "kid")]), "acme-eab-hmac-key is missing"),
        ];
        for (vars, expected) in cases {
            let text = read(&vars, &[]).unwrap_err();
            assert!(text.contains(expected), "'{expected}' is not in: {text}");
        }
    }
}
