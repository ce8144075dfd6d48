//! Which GitLab.

use sdk::{Invalid, Reader};
use url::{Host, Url};

const VARIABLE: &str = "gitlab_instance";

/// The one GitLab that there is for this installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Without a slash at its end.
    base: Url,
    host: String,
}

impl Instance {
    /// Reads `gitlab_instance`.
    ///
    /// # Errors
    /// When it is missing or no such address; the reader knows why.
    pub fn read(reader: &Reader<'_>) -> Result<Self, Invalid> {
        let url: Url = reader.required(VARIABLE)?;
        Self::new(url).map_err(|complaint| reader.invalid(VARIABLE, complaint))
    }

    fn new(mut base: Url) -> Result<Self, String> {
        let host = match base.host_str() {
            Some(host) if matches!(base.scheme(), "http" | "https") => host.to_owned(),
            _ => return Err(format!("'{base}' must begin with https:// and a host")),
        };
        let named = !base.username().is_empty() || base.password().is_some();
        if named || base.query().is_some() || base.fragment().is_some() {
            return Err("must have neither a user's name nor anything after its path".to_owned());
        }
        if base.scheme() == "http" && !is_this_machine(&base) {
            return Err(format!("'{base}' must begin with https://: the token would go over the network in the open"));
        }
        let path = base.path().trim_end_matches('/').to_owned();
        base.set_path(&path);
        Ok(Self { base, host })
    }

    /// The host's name, which owners and repositories are known under.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The page of a project or group.
    pub fn page(&self, path: &str) -> String {
        format!("{}/{path}", self.base.as_str().trim_end_matches('/'))
    }

    /// `<instance>/api/v4/<segments>`.
    pub(crate) fn api(&self, segments: &[String]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["api", "v4"]).extend(segments);
        }
        url
    }
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(url: &str) -> Result<Instance, String> {
        Instance::new(url.parse().unwrap())
    }

    #[test]
    fn a_path_and_a_slash_at_the_end_are_fine() {
        let segments = ["projects".to_owned(), "7".to_owned()];
        for (url, api, page) in [
            ("https://gitlab.com", "https://gitlab.com/api/v4/projects/7", "https://gitlab.com/a/b"),
            ("https://gitlab.com/", "https://gitlab.com/api/v4/projects/7", "https://gitlab.com/a/b"),
            ("https://x.example/gitlab", "https://x.example/gitlab/api/v4/projects/7", "https://x.example/gitlab/a/b"),
            ("https://x.example/gitlab/", "https://x.example/gitlab/api/v4/projects/7", "https://x.example/gitlab/a/b"),
            ("http://git.localhost:8/", "http://git.localhost:8/api/v4/projects/7", "http://git.localhost:8/a/b"),
        ] {
            let instance = instance(url).unwrap();
            assert_eq!(instance.api(&segments).as_str(), api);
            assert_eq!(instance.page("a/b"), page);
        }
        assert_eq!(instance("https://GitLab.example:8443/").unwrap().host(), "gitlab.example");
    }

    #[test]
    fn what_could_lead_the_token_astray_is_refused() {
        for url in [
            "ftp://gitlab.com",
            "mailto:x@gitlab.com",
            "https://user:secret@gitlab.com",
            "https://gitlab.com/?x=1",
            "https://gitlab.com/#x",
            "http://gitlab.example",
            "http://10.0.0.7/",
        ] {
            assert!(instance(url).is_err(), "{url}");
        }
    }
}
