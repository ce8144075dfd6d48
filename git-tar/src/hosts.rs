//! The git hosts that repositories are read from. An event names its host; where that host is, and which
//! token it gets, only the configuration says.

use std::collections::BTreeMap;

use sdk::event::PushEvent;
use sdk::{Invalid, Reader};
use url::Url;

use crate::git::Credential;

/// Host names and where they are.
#[derive(Debug, Clone)]
pub(crate) struct Hosts {
    bases: BTreeMap<String, Url>,
    credential: Option<Credential>,
}

impl Hosts {
    /// Reads `git_hosts` (`name=URL`, default `github.com=https://github.com`), and where `git_token_host`
    /// names one of them, the secret `git-platform-token`, which that host and no other gets.
    pub(crate) fn read(r: &Reader<'_>) -> Result<Self, Invalid> {
        let mut pairs = r.list("git_hosts");
        if pairs.is_empty() {
            pairs.push("github.com=https://github.com".to_owned());
        }
        let mut bases = BTreeMap::new();
        for pair in &pairs {
            let parsed =
                pair.split_once('=').and_then(|(name, url)| Some((name.to_ascii_lowercase(), url.parse().ok()?)));
            match parsed {
                Some((name, url)) => bases.insert(name, url),
                None => return Err(r.invalid("git_hosts", format!("'{pair}' is not of the form name=https://host"))),
            };
        }
        let credential = match r.optional::<String>("git_token_host")? {
            None => None,
            Some(host) => {
                let token = r.secret("git-platform-token")?;
                let base = bases.get(&host.to_ascii_lowercase()).cloned();
                let base = base.ok_or_else(|| r.invalid("git_token_host", format!("'{host}' is not in git_hosts")))?;
                Some(Credential { base, token })
            }
        };
        Ok(Self { bases, credential })
    }

    /// Where the event's repository is; `None` if its host is not configured.
    pub(crate) fn repository(&self, event: &PushEvent) -> Option<Url> {
        let mut url = self.bases.get(&event.host.to_ascii_lowercase())?.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}/{}/{}.git", event.owner, event.repo));
        Some(url)
    }

    /// The token and where it belongs.
    pub(crate) fn credential(&self) -> Option<&Credential> {
        self.credential.as_ref()
    }
}
