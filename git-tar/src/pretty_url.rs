//! Where a function can be called.

use sdk::id::{FunctionName, Owner};
use sdk::{Invalid, Reader};
use url::Url;

const DEFAULT: &str = "https://user.o6s.io/function";

/// `gateway_pretty_url`, for example `https://user.o6s.io/function`: the first `user` stands for the owner, the
/// path's last part for the function.
#[derive(Debug, Clone)]
pub(crate) struct PrettyUrl {
    before: String,
    after: String,
}

impl PrettyUrl {
    pub(crate) fn read(reader: &Reader<'_>) -> Result<Self, Invalid> {
        let text = reader.or("gateway_pretty_url", DEFAULT.to_owned())?;
        Self::parse(&text).ok_or_else(|| {
            reader.invalid("gateway_pretty_url", format!("'{text}' must be like {DEFAULT}, with 'user' for the owner"))
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let url: Url = text.parse().ok()?;
        let (before, after) = text.split_once("user")?;
        let after = after.trim_end_matches('/');
        let after = after.strip_suffix("function").unwrap_or(after).trim_end_matches('/');
        let http = matches!(url.scheme(), "http" | "https");
        http.then(|| Self { before: before.to_owned(), after: after.to_owned() })
    }

    pub(crate) fn of(&self, owner: &Owner, function: &FunctionName) -> String {
        format!("{}{owner}{}/{function}", self.before, self.after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(template: &str) -> Option<String> {
        Some(PrettyUrl::parse(template)?.of(&"alice".parse().unwrap(), &"greet".parse().unwrap()))
    }

    #[test]
    fn owner_and_function_take_their_places() {
        for (template, url) in [
            ("https://user.o6s.io/function", "https://alice.o6s.io/greet"),
            ("https://user.o6s.io/function/", "https://alice.o6s.io/greet"),
            ("http://user.localhost:8000/function", "http://alice.localhost:8000/greet"),
            ("https://user.o6s.io", "https://alice.o6s.io/greet"),
        ] {
            assert_eq!(made(template).as_deref(), Some(url));
        }
        for template in ["", "user", "https://o6s.io/function", "ftp://user.o6s.io/function"] {
            assert_eq!(made(template), None, "{template}");
        }
    }
}
