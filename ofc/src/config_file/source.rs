//! `source`: where repositories are, and how the platform is known there.

use url::Url;

use super::address::parse_address;
use super::{Section, Target};

/// GitHub itself.
pub(crate) const GITHUB: &str = "https://github.com";
const GITHUB_API: &str = "https://api.github.com";
const GITLAB: &str = "https://gitlab.com";

/// A host of repositories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// The platform's own.
    Local,
    /// GitHub, or a GitHub Enterprise server.
    Github(Github),
    /// gitlab.com, or one's own GitLab.
    Gitlab(Gitlab),
}

/// One GitHub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Github {
    /// `url`: for browsers and git.
    pub(crate) url: Url,
    /// `api_url`: its REST interface.
    pub(crate) api_url: Url,
    /// `app`.
    pub(crate) app: AppSettings,
}

/// The platform's GitHub App.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AppSettings {
    /// `id`: the number of one that was made by hand; else `ofc init` makes one and keeps its number.
    pub(crate) id: Option<u64>,
    /// `client_id`: of the same, for signing in.
    pub(crate) client_id: Option<String>,
    /// `name`: what the one to be made is called.
    pub(crate) name: Option<String>,
    /// `organisation`: whose it is; the user's own where unset.
    pub(crate) organisation: Option<String>,
    /// `public`: others than its owner may install it.
    pub(crate) public: bool,
}

/// One GitLab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gitlab {
    /// `url`.
    pub(crate) url: Url,
    /// `topic`: of the projects that are deployed.
    pub(crate) topic: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Host {
    Local,
    Github,
    Gitlab,
}

impl Source {
    pub(super) fn read(root: &Section<'_>, target: Target) -> Option<Self> {
        let section = root.section("source");
        let words = [("local", Host::Local), ("github", Host::Github), ("gitlab", Host::Gitlab)];
        let host = if section.has("host") { section.choice("host", &words) } else { Some(Host::Local) };
        let source = match host? {
            Host::Local => {
                if target == Target::Kubernetes {
                    section.wrong("host", "is local: in a cluster, repositories are at github or gitlab");
                }
                Some(Self::Local)
            }
            Host::Github => github(&section).map(Self::Github),
            Host::Gitlab => gitlab(&section).map(Self::Gitlab),
        };
        section.finish();
        source
    }

    /// The secret that its webhooks are signed with.
    pub(crate) fn webhook_secret(&self) -> &'static str {
        match self {
            Self::Local | Self::Github(_) => "github-webhook-secret",
            Self::Gitlab(_) => "gitlab-webhook-secret",
        }
    }

    /// The function that its webhooks reach, as the router offers it.
    pub(crate) fn webhook_path(&self) -> &'static str {
        match self {
            Self::Local | Self::Github(_) => "/github-event",
            Self::Gitlab(_) => "/gitlab-event",
        }
    }
}

impl Github {
    /// The GitHub at an address. Without `api_url` its interface is where GitHub and GitHub Enterprise have it.
    pub(crate) fn at(url: Url, api_url: Option<Url>, app: AppSettings) -> Option<Self> {
        let api_url = match api_url {
            Some(api_url) => api_url,
            None if url.as_str().trim_end_matches('/') == GITHUB => GITHUB_API.parse().ok()?,
            None => url.join("/api/v3").ok()?,
        };
        Some(Self { url, api_url, app })
    }

    /// The page where somebody makes an App from a manifest.
    pub(crate) fn new_app_page(&self) -> String {
        let base = self.url.as_str().trim_end_matches('/');
        match &self.app.organisation {
            Some(organisation) => format!("{base}/organizations/{organisation}/settings/apps/new"),
            None => format!("{base}/settings/apps/new"),
        }
    }
}

fn github(section: &Section<'_>) -> Option<Github> {
    let url = address_or(section, "url", GITHUB);
    let api_url = section.text("api_url").map(|text| checked(section, "api_url", &text));
    let app = app(section);
    let api_url = api_url.map_or(Some(None), |url| url.map(Some));
    Github::at(url?, api_url?, app)
}

fn app(section: &Section<'_>) -> AppSettings {
    let section = section.section("app");
    let id = section.number("id", 1, u64::MAX);
    let client_id = section.text("client_id").filter(|id| plain(&section, "client_id", id, '.'));
    let name = section.text("name").filter(|name| {
        let fine = !name.trim().is_empty() && name.chars().count() <= 34;
        if !fine {
            section.wrong("name", "has to have 1 to 34 characters, by GitHub's rule");
        }
        fine
    });
    let organisation = section.text("organisation").filter(|login| plain(&section, "organisation", login, '-'));
    let public = section.flag("public").unwrap_or(false);
    section.finish();
    AppSettings { id, client_id, name, organisation, public }
}

fn plain(section: &Section<'_>, key: &str, text: &str, extra: char) -> bool {
    let fine = !text.is_empty() && text.len() <= 100 && text.chars().all(|c| c.is_ascii_alphanumeric() || c == extra);
    if !fine {
        section.wrong(key, format!("may have letters, digits and '{extra}' only"));
    }
    fine
}

fn gitlab(section: &Section<'_>) -> Option<Gitlab> {
    let url = address_or(section, "url", GITLAB);
    let topic = section.text("topic");
    Some(Gitlab { url: url?, topic })
}

pub(super) fn address_or(section: &Section<'_>, key: &'static str, usual: &str) -> Option<Url> {
    if !section.has(key) {
        return usual.parse().ok();
    }
    checked(section, key, &section.text(key)?)
}

pub(super) fn checked(section: &Section<'_>, key: &str, text: &str) -> Option<Url> {
    parse_address(text).map_err(|sentence| section.wrong(key, format!("cannot be used: {sentence}"))).ok()
}
