//! The git hosts that repositories are read from. An event names its host; where that host is, and which
//! token it gets, only the configuration says.

use std::collections::BTreeMap;

use github_app::{App, GithubError, Permission, Scope};
use gitlab_api::Instance;
use http::StatusCode;
use sdk::event::{PushEvent, Scm};
use sdk::{Invalid, Reader};
use secrecy::SecretString;
use url::Url;

use crate::git::Credential;

/// The user name that GitHub's tokens, and those of `of-git`, go with.
const TOKEN_USER: &str = "x-access-token";
/// The user name that GitLab's tokens go with.
const GITLAB_USER: &str = "oauth2";
const GITHUB: &str = "github.com";

/// Host names, where they are, and what opens their private repositories.
#[derive(Debug, Clone)]
pub(crate) struct Hosts {
    bases: BTreeMap<String, Url>,
    /// A fixed token for everything at one host.
    fixed: Option<Credential>,
    /// A GitHub App and the host that it belongs to.
    app: Option<(String, App)>,
    /// GitLab's host and its token.
    gitlab: Option<(String, SecretString)>,
}

impl Hosts {
    /// Reads `git_hosts` (`name=URL`, default `github.com=https://github.com`) and `gitlab_instance`, which is one
    /// more host. Where `git_token_host` names one of them, it and no other gets the secret `git-platform-token`.
    /// `github_app_id`, `github_url` and the secret `private-key` make tokens for GitHub, the secret
    /// `gitlab-api-token` is one for GitLab.
    pub(crate) fn read(r: &Reader<'_>) -> Result<Self, Invalid> {
        let mut bases = bases(r)?;
        let gitlab = gitlab(r, &mut bases)?;
        let app = app(r)?;
        let fixed = match r.optional::<String>("git_token_host")? {
            None => None,
            Some(host) => {
                let token = r.secret("git-platform-token")?;
                let base = bases.get(&host.to_ascii_lowercase()).cloned();
                let base = base.ok_or_else(|| r.invalid("git_token_host", format!("'{host}' is not in git_hosts")))?;
                Some(Credential { base, user: TOKEN_USER, token })
            }
        };
        Ok(Self { bases, fixed, app, gitlab })
    }

    /// Where a host is; `None` if it is not configured.
    pub(crate) fn base(&self, host: &str) -> Option<&Url> {
        self.bases.get(&host.to_ascii_lowercase())
    }

    /// Where a repository is, by its path at the event's host; `None` if the host is not configured.
    pub(crate) fn repository(&self, event: &PushEvent, path: &str) -> Option<Url> {
        let mut url = self.base(&event.host)?.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}/{path}.git"));
        Some(url)
    }

    /// The fixed token and where it belongs.
    pub(crate) fn fixed(&self) -> Option<&Credential> {
        self.fixed.as_ref()
    }

    /// What opens the event's repository: a token for reading it and nothing else, where the host can make one. A
    /// public repository gets none that was made for private ones.
    pub(crate) async fn credential(&self, event: &PushEvent) -> Result<Option<Credential>, GithubError> {
        if let Some((app, base)) = self.app_of(event).filter(|_| event.private) {
            let token = app.token(event.installation, &scope(event)).await?;
            return Ok(Some(Credential { base: base.clone(), user: TOKEN_USER, token }));
        }
        Ok(self.gitlab_of(event).filter(|_| event.private).or_else(|| self.fixed.clone()))
    }

    /// What opens another repository of the event's owner, if that may be opened; whether it is private is not known.
    pub(crate) async fn credential_for(
        &self,
        event: &PushEvent,
        repo: &str,
    ) -> Result<Option<Credential>, GithubError> {
        let Some((app, base)) = self.app_of(event) else {
            return Ok(self.gitlab_of(event).or_else(|| self.fixed.clone()));
        };
        match app.token(event.installation, &Scope::new([Permission::Contents], 0, repo)).await {
            Ok(token) => Ok(Some(Credential { base: base.clone(), user: TOKEN_USER, token })),
            // The installation does not have it; it may be public.
            Err(error) if error.status() == Some(StatusCode::UNPROCESSABLE_ENTITY) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Drops a credential of [`Hosts::credential`], which its host does not take any more. False if it is not one that
    /// can be made anew.
    pub(crate) async fn forget(&self, event: &PushEvent, credential: &Credential) -> bool {
        let Some((app, _)) = self.app_of(event).filter(|_| event.private) else { return false };
        app.forget(event.installation, &scope(event), &credential.token).await;
        true
    }

    fn app_of(&self, event: &PushEvent) -> Option<(&App, &Url)> {
        let (host, app) = self.app.as_ref()?;
        let its_own = event.scm == Scm::Github && event.installation != 0 && event.host.eq_ignore_ascii_case(host);
        Some((app, self.base(host)?)).filter(|_| its_own)
    }

    fn gitlab_of(&self, event: &PushEvent) -> Option<Credential> {
        let (host, token) = self.gitlab.as_ref()?;
        let its_own = event.scm == Scm::Gitlab && event.host.eq_ignore_ascii_case(host);
        let base = self.base(host).filter(|_| its_own)?.clone();
        Some(Credential { base, user: GITLAB_USER, token: token.clone() })
    }
}

fn scope(event: &PushEvent) -> Scope {
    Scope::new([Permission::Contents], event.repo_id, event.repo.as_str())
}

fn bases(r: &Reader<'_>) -> Result<BTreeMap<String, Url>, Invalid> {
    let mut pairs = r.list("git_hosts");
    if pairs.is_empty() {
        pairs.push(format!("{GITHUB}=https://{GITHUB}"));
    }
    let mut bases = BTreeMap::new();
    for pair in &pairs {
        let parsed = pair.split_once('=').and_then(|(name, url)| Some((name.to_ascii_lowercase(), url.parse().ok()?)));
        match parsed {
            Some((name, url)) => bases.insert(name, url),
            None => return Err(r.invalid("git_hosts", format!("'{pair}' is not of the form name=https://host"))),
        };
    }
    Ok(bases)
}

/// The GitHub App and the host part of `github_url`.
fn app(r: &Reader<'_>) -> Result<Option<(String, App)>, Invalid> {
    let Some(app) = App::read(r)? else { return Ok(None) };
    let host = match r.optional::<Url>("github_url")? {
        None => GITHUB.to_owned(),
        Some(url) => url.host_str().ok_or_else(|| r.invalid("github_url", "has no host"))?.to_owned(),
    };
    Ok(Some((host, app)))
}

/// GitLab's host, which is one of the bases from now on, and the token for it.
fn gitlab(r: &Reader<'_>, bases: &mut BTreeMap<String, Url>) -> Result<Option<(String, SecretString)>, Invalid> {
    let token = r.optional_secret("gitlab-api-token");
    if r.optional::<String>("gitlab_instance")?.is_none() {
        return match token {
            None => Ok(None),
            Some(_) => {
                Err(r.invalid("gitlab_instance", "is not set: there is a gitlab-api-token and nowhere to use it"))
            }
        };
    }
    let instance = Instance::read(r)?;
    let base: Url =
        instance.page("").parse().map_err(|_| r.invalid("gitlab_instance", "is not of the form https://host"))?;
    let host = instance.host().to_owned();
    // The token goes to the instance: whatever git_hosts says of that name, it is meant here.
    bases.insert(host.to_ascii_lowercase(), base);
    Ok(token.map(|token| (host, token)))
}
