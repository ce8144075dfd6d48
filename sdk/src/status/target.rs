//! Where a status leads to: the function, the dashboard, or the log of a build.

use url::Url;

use super::{STACK_CONTEXT, State, Status};
use crate::{Invalid, Reader};

/// The label in `gateway_pretty_url` that stands for the owner, or for `system`.
const OWNER: &str = "user";
const FUNCTION: &str = "function";

/// `gateway_public_url` and `gateway_pretty_url`, both optional.
#[derive(Debug, Clone, Default)]
pub struct Targets {
    public: Option<String>,
    pretty: Option<String>,
}

impl Targets {
    /// Reads both.
    ///
    /// # Errors
    /// When one of them is no address, or leads to no owner; the reader knows which.
    pub fn read(r: &Reader<'_>) -> Result<Self, Invalid> {
        let (public, pretty) = (base(r, "gateway_public_url"), base(r, "gateway_pretty_url"));
        let pretty = pretty?;
        if pretty.as_ref().is_some_and(|url| !url.contains(OWNER)) {
            let sentence = "must be like https://user.example.com/function, with 'user' for the owner";
            return Err(r.invalid("gateway_pretty_url", sentence));
        }
        Ok(Self { public: public?, pretty })
    }

    /// The status's address: the one that it brings, or the one that its owner, context and state make.
    pub fn of(&self, status: &Status) -> Option<String> {
        let made = || match status.state {
            State::Success | State::Failure => self.made(status),
            State::Queued | State::InProgress | State::Neutral => Some(status.html_url.clone()),
        };
        status.url.clone().or_else(made).filter(|url| is_link(url))
    }

    fn made(&self, status: &Status) -> Option<String> {
        let (owner, context) = (&status.owner, &status.context);
        let function = (status.context != STACK_CONTEXT).then_some(context);
        let live = status.state == State::Success;
        match (&self.pretty, &self.public, function) {
            (Some(pretty), _, Some(function)) if live => Some(pretty_at(pretty, owner.as_str(), function)),
            (Some(pretty), _, Some(function)) => {
                let repo = &status.repo;
                let sha = &status.sha;
                let page = format!("dashboard/{owner}/{function}/build-log?repoPath={owner}/{repo}&commitSHA={sha}");
                Some(pretty_at(pretty, "system", &page))
            }
            (Some(pretty), _, None) => Some(pretty_at(pretty, "system", &format!("dashboard/{owner}"))),
            (None, Some(public), Some(function)) if live => Some(format!("{public}/function/{owner}-{function}")),
            (None, Some(public), _) => Some(format!("{public}/function/system-dashboard")),
            (None, None, _) => None,
        }
    }
}

/// An address without the slash at its end.
fn base(r: &Reader<'_>, name: &str) -> Result<Option<String>, Invalid> {
    let Some(url) = r.optional::<Url>(name)? else { return Ok(None) };
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(r.invalid(name, "must begin with http:// or https:// and a host"));
    }
    Ok(Some(url.as_str().trim_end_matches('/').to_owned()))
}

/// `https://user.example.com/function` with the first `user` replaced, and the ending too.
fn pretty_at(pretty: &str, name: &str, page: &str) -> String {
    let url = pretty.replacen(OWNER, name, 1);
    let url = url.strip_suffix(FUNCTION).filter(|rest| rest.ends_with('/')).unwrap_or(&url);
    format!("{}/{page}", url.trim_end_matches('/'))
}

/// True for an address that may be put between `<` and `>`.
pub fn is_link(url: &str) -> bool {
    let scheme = url.starts_with("http://") || url.starts_with("https://");
    scheme && url.len() <= 2000 && !url.contains(|c: char| c.is_whitespace() || c.is_control() || c == '<' || c == '>')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::tests::status as sample;

    const SHA: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn status(context: &str, state: State) -> Status {
        let mut status = sample(context, state);
        (status.repo, status.html_url) = ("hello".parse().unwrap(), "https://github.com/alice/hello".to_owned());
        status
    }

    fn targets(public: &str, pretty: &str) -> Targets {
        let env = crate::Env::from_map([("gateway_public_url", public), ("gateway_pretty_url", pretty)], [("a", "b")]);
        let reader = env.reader();
        let targets = Targets::read(&reader);
        reader.finish().unwrap();
        targets.unwrap()
    }

    fn of(pretty: &str, context: &str, state: State) -> String {
        targets("http://localhost:8080/", pretty).of(&status(context, state)).unwrap()
    }

    #[test]
    fn the_rules_of_the_original() {
        let pretty = "https://user.openfaas-cloud.com/function";
        let log = format!(
            "https://system.openfaas-cloud.com/dashboard/alice/greet/build-log?repoPath=alice/hello&commitSHA={SHA}"
        );
        let rules = [
            ("", "greet", State::Success, "http://localhost:8080/function/alice-greet"),
            ("", STACK_CONTEXT, State::Success, "http://localhost:8080/function/system-dashboard"),
            ("", STACK_CONTEXT, State::Failure, "http://localhost:8080/function/system-dashboard"),
            ("", "greet", State::Failure, "http://localhost:8080/function/system-dashboard"),
            (pretty, "greet", State::Success, "https://alice.openfaas-cloud.com/greet"),
            (pretty, STACK_CONTEXT, State::Success, "https://system.openfaas-cloud.com/dashboard/alice"),
            (pretty, STACK_CONTEXT, State::Failure, "https://system.openfaas-cloud.com/dashboard/alice"),
            (pretty, "greet", State::Failure, &log),
            ("https://user.a.com/function/", "greet", State::Success, "https://alice.a.com/greet"),
            ("https://user.a.com:8443", "greet", State::Success, "https://alice.a.com:8443/greet"),
            (
                "https://user.function.a.com/function",
                STACK_CONTEXT,
                State::Failure,
                "https://system.function.a.com/dashboard/alice",
            ),
            ("https://user.functiona.com/function", "greet", State::Success, "https://alice.functiona.com/greet"),
        ];
        for (pretty, context, state, expected) in rules {
            assert_eq!(of(pretty, context, state), expected, "{pretty} {context} {state:?}");
        }
        for state in [State::Queued, State::InProgress, State::Neutral] {
            assert_eq!(of(pretty, "greet", state), "https://github.com/alice/hello");
        }
    }

    #[test]
    fn an_address_of_the_status_comes_first_and_must_be_one() {
        let with = |url: &str| targets("http://a", "").of(&status("greet", State::Success).with_url(url));
        assert_eq!(with("https://elsewhere/").as_deref(), Some("https://elsewhere/"));
        for bad in ["javascript:alert(1)", "https://a b", "https://a>b", ""] {
            assert_eq!(with(bad), None, "{bad}");
        }
        assert_eq!(Targets::default().of(&status("greet", State::Success)), None);
    }

    #[test]
    fn a_wrong_address_stops_the_start() {
        for (name, bad) in [("gateway_public_url", "ftp://a"), ("gateway_pretty_url", "https://a.com/function")] {
            let env = crate::Env::from_map([(name, bad)], [("a", "b")]);
            let reader = env.reader();
            assert!(Targets::read(&reader).is_err());
            assert_eq!(reader.finish().unwrap_err().problems()[0].name, name);
        }
    }
}
