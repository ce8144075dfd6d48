//! Which provider, from the configuration.

use sdk::{Invalid, Reader};
use url::Url;

use super::endpoints::Endpoints;
use super::github::{self, GitHub};
use super::gitlab::{self, GitLab};
use super::oauth::Application;
use super::oidc::Oidc;
use super::{Kind, Provider, Providers};

impl Providers {
    /// Reads `oauth_provider` (`github`, `gitlab` or `oidc`, in any case) and what belongs to it.
    ///
    /// # Errors
    /// When something is missing or wrong; the reader knows what.
    pub(crate) fn from_env(reader: &Reader<'_>) -> Result<Self, Invalid> {
        let kind = reader.or("oauth_provider", "github".to_owned())?.to_ascii_lowercase();
        let application = Application::read(reader);
        let provider = match kind.as_str() {
            "github" => github(reader, application)?,
            "gitlab" => gitlab(reader, application)?,
            "oidc" => oidc(reader, application)?,
            other => {
                let reason = format!("'{other}' is none of github, gitlab and oidc");
                return Err(reader.invalid("oauth_provider", reason));
            }
        };
        Ok(Self(vec![provider]))
    }
}

fn github(reader: &Reader<'_>, application: Result<Application, Invalid>) -> Result<Provider, Invalid> {
    let endpoints = endpoints(reader, github::CLOUD)?;
    let label = label(reader, "GitHub", github::CLOUD, &endpoints);
    let kind = Kind::GitHub(GitHub::read(reader, endpoints, application?)?);
    Ok(Provider { name: "github", label: label?, kind })
}

fn gitlab(reader: &Reader<'_>, application: Result<Application, Invalid>) -> Result<Provider, Invalid> {
    let endpoints = endpoints(reader, gitlab::CLOUD)?;
    let label = label(reader, "GitLab", gitlab::CLOUD, &endpoints);
    Ok(Provider { name: "gitlab", label: label?, kind: Kind::GitLab(GitLab::new(endpoints, application?)) })
}

fn oidc(reader: &Reader<'_>, application: Result<Application, Invalid>) -> Result<Provider, Invalid> {
    // Compared to the letter with what the provider says, so it is kept as it was written.
    let issuer: String = reader.required("oidc_issuer")?;
    let url = Url::parse(&issuer).map_err(|error| reader.invalid("oidc_issuer", error.to_string()))?;
    let endpoints = Endpoints::read(reader, "oidc_issuer", url)?;
    let label = reader.or("oauth_provider_label", endpoints.host().to_owned());
    let oidc = Oidc::read(reader, issuer, endpoints, application?)?;
    Ok(Provider { name: "oidc", label: label?, kind: Kind::Oidc(Box::new(oidc)) })
}

/// `oauth_provider_base_url`, and `oauth_provider_internal_url` where we reach it by another way.
fn endpoints(reader: &Reader<'_>, cloud: &str) -> Result<Endpoints, Invalid> {
    let url: Url = match reader.optional("oauth_provider_base_url")? {
        Some(url) => url,
        None => Url::parse(cloud).map_err(|error| reader.invalid("oauth_provider_base_url", error.to_string()))?,
    };
    Endpoints::read(reader, "oauth_provider_base_url", url)
}

/// `oauth_provider_label`, or the product's name, with the host where it is not the product's own.
fn label(reader: &Reader<'_>, product: &str, cloud: &str, endpoints: &Endpoints) -> Result<String, Invalid> {
    let host = endpoints.host();
    let own = cloud.strip_prefix("https://") == Some(host);
    reader.or("oauth_provider_label", if own { product.to_owned() } else { format!("{product} at {host}") })
}
