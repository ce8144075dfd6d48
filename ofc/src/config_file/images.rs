//! `registry` and `store`: where images, logs and sealed secrets are kept.

use std::path::PathBuf;
use std::str::FromStr;

use url::Url;

use super::{Section, Target};

/// A registry of images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Registry {
    /// `prefix`: what every image's name begins with; ends with a slash.
    pub(crate) prefix: String,
    /// `credentials`: a file like Docker's `config.json`.
    pub(crate) credentials: Option<PathBuf>,
}

/// Where objects are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Store {
    /// In the data directory.
    Directory,
    /// In an S3 bucket. Its keys are the secrets `s3-access-key` and `s3-secret-key`.
    S3 {
        /// `url`: the service's address; a scheme of its own decides about encryption.
        url: Url,
        /// `region`.
        region: String,
        /// `bucket`.
        bucket: String,
    },
}

#[derive(Clone, Copy)]
enum Kind {
    Directory,
    S3,
}

impl Registry {
    pub(super) fn read(root: &Section<'_>, target: Target) -> Option<Option<Self>> {
        let section = root.section("registry");
        if section.is_empty() {
            section.finish();
            if target == Target::Kubernetes {
                root.wrong("registry", "is missing: nodes of a cluster pull images from one, such as ghcr.io/acme/");
                return None;
            }
            return Some(None);
        }
        let prefix = section.required::<String>("prefix").and_then(|text| {
            let parsed = text.parse::<Self>();
            parsed.map_err(|error| section.wrong("prefix", format!("is '{text}': {error}"))).ok()
        });
        let credentials = section.text("credentials").map(PathBuf::from);
        section.finish();
        Some(Some(Self { credentials, ..prefix? }))
    }

    /// True if images can be named so, without the slash at its end. Without a dot or a port the engine takes the first part for a folder on Docker Hub.
    pub(crate) fn is_prefix(bare: &str) -> bool {
        let (host, path) = bare.split_once('/').unwrap_or((bare, ""));
        let host_fine = host.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-:".contains(&b));
        let plain = |part: &str| {
            let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
            !part.is_empty() && part.bytes().all(inner) && part.starts_with(|c: char| c.is_ascii_alphanumeric())
        };
        let names_host = host.contains(['.', ':']) || host == "localhost";
        names_host && host_fine && bare.len() <= 200 && (path.is_empty() || path.split('/').all(plain))
    }

    /// The registry's own host, as a login names it.
    pub(crate) fn host(&self) -> &str {
        self.prefix.split('/').next().unwrap_or_default()
    }
}

/// No registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it has to be like ghcr.io/acme/, in lower case")]
pub(crate) struct InvalidPrefix;

impl FromStr for Registry {
    type Err = InvalidPrefix;

    fn from_str(text: &str) -> Result<Self, InvalidPrefix> {
        let bare = text.trim_end_matches('/');
        Self::is_prefix(bare).then(|| Self { prefix: format!("{bare}/"), credentials: None }).ok_or(InvalidPrefix)
    }
}

impl Store {
    pub(super) fn read(root: &Section<'_>, target: Target) -> Option<Self> {
        let section = root.section("store");
        let words = [("directory", Kind::Directory), ("s3", Kind::S3)];
        let kind = if section.has("kind") { section.choice("kind", &words) } else { Some(Kind::Directory) };
        let store = match kind? {
            Kind::Directory if target == Target::Kubernetes => {
                section.wrong("kind", "has to be s3 in a cluster: its functions have no directory that stays");
                None
            }
            Kind::Directory => Some(Self::Directory),
            Kind::S3 => s3(&section),
        };
        section.finish();
        store
    }
}

fn s3(section: &Section<'_>) -> Option<Store> {
    let url = section.required::<Url>("url").filter(|url| is_service(section, "url", url));
    let bucket = section.required::<String>("bucket").filter(|bucket| {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-".contains(&b);
        let fine = (3..=63).contains(&bucket.len()) && bucket.bytes().all(inner);
        if !fine {
            section.wrong("bucket", "has to have 3 to 63 lower-case letters, digits, dots and hyphens");
        }
        fine
    });
    let region = section.text("region").unwrap_or_else(|| "us-east-1".to_owned());
    Some(Store::S3 { url: url?, region, bucket: bucket? })
}

/// Whether an address is that of a service by itself; says so if not.
pub(super) fn is_service(section: &Section<'_>, key: &str, url: &Url) -> bool {
    let clean = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    let fine = matches!(url.scheme(), "http" | "https") && url.has_host() && clean && url.path() == "/";
    if !fine {
        section.wrong(key, "has to be http:// or https:// and a host, without a path");
    }
    fine
}
