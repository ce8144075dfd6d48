//! `sign_in`: who people are known by.

use url::Url;

use super::source::{address_or, checked};
use super::{GITHUB, Section, Source};

/// An identity provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SignIn {
    /// The platform's own git host.
    Local,
    /// Nobody signs in: what is not public is closed.
    Off,
    /// GitHub; by the App's own client unless another id is given.
    Github { url: Url, client_id: Option<String> },
    /// GitLab.
    Gitlab { url: Url, client_id: String },
    /// Any OpenID provider.
    Oidc(Oidc),
}

/// An OpenID provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Oidc {
    /// `issuer`, to the letter.
    pub(crate) issuer: String,
    /// `client_id`.
    pub(crate) client_id: String,
    /// `groups`: `<login>/<number>=<group>:<role>`.
    pub(crate) groups: Vec<String>,
    /// `owner_host`: the git host that logins and numbers belong to.
    pub(crate) owner_host: Option<String>,
}

#[derive(Clone, Copy)]
enum Kind {
    Off,
    Github,
    Gitlab,
    Oidc,
}

impl SignIn {
    pub(super) fn read(root: &Section<'_>, source: Option<&Source>) -> Option<Self> {
        let section = root.section("sign_in");
        if source == Some(&Source::Local) {
            if !section.is_empty() {
                root.wrong(
                    "sign_in",
                    "is of no use with source.host local: people sign in with the platform's own host",
                );
                return None;
            }
            return Some(Self::Local);
        }
        // With a host that is not understood, nothing more can be said about signing in.
        source?;
        let words = [("off", Kind::Off), ("github", Kind::Github), ("gitlab", Kind::Gitlab), ("oidc", Kind::Oidc)];
        let usual = if matches!(source, Some(Source::Gitlab(_))) { Kind::Gitlab } else { Kind::Github };
        let kind = if section.has("provider") { section.choice("provider", &words) } else { Some(usual) };
        let read = match kind? {
            Kind::Off => Some(Self::Off),
            Kind::Github => github(&section, source),
            Kind::Gitlab => gitlab(&section, source),
            Kind::Oidc => oidc(&section),
        };
        section.finish();
        read
    }

    /// True if somebody can sign in.
    pub(crate) fn is_on(&self) -> bool {
        *self != Self::Off
    }
}

fn github(section: &Section<'_>, source: Option<&Source>) -> Option<SignIn> {
    let own = if let Some(Source::Github(github)) = source { Some(github.url.as_str()) } else { None };
    let url = address_or(section, "url", own.unwrap_or(GITHUB));
    let client_id = section.text("client_id");
    let by_hand = match source {
        Some(Source::Github(github)) => github.app.id.is_some() && github.app.client_id.is_none(),
        _ => false,
    };
    if by_hand && client_id.is_none() {
        let sentence = "is missing: say source.app.client_id (it is on the App's page), or turn signing in off: \
                        sign_in.provider off";
        section.wrong("client_id", sentence);
        return None;
    }
    if own.is_none() && client_id.is_none() {
        section.wrong("client_id", "is missing: of an OAuth App at GitHub, see docs/providers.md");
        return None;
    }
    Some(SignIn::Github { url: url?, client_id })
}

fn gitlab(section: &Section<'_>, source: Option<&Source>) -> Option<SignIn> {
    let own = if let Some(Source::Gitlab(gitlab)) = source { gitlab.url.as_str() } else { "https://gitlab.com" };
    let (url, client_id) = (address_or(section, "url", own), section.required("client_id"));
    Some(SignIn::Gitlab { url: url?, client_id: client_id? })
}

fn oidc(section: &Section<'_>) -> Option<SignIn> {
    let issuer = section.required::<String>("issuer");
    let issuer = issuer.filter(|issuer| checked(section, "issuer", issuer).is_some());
    let client_id = section.required("client_id");
    let groups = section.list("groups").into_iter().map(|at| at.value).collect();
    let owner_host = section.text("owner_host");
    Some(SignIn::Oidc(Oidc { issuer: issuer?, client_id: client_id?, groups, owner_host }))
}
