//! A successful answer.

use http::HeaderMap;
use http::header::LINK;
use serde::de::DeserializeOwned;

use crate::GithubError;

/// What GitHub answered.
#[derive(Debug)]
pub struct Answer {
    pub(crate) operation: &'static str,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The body.
    ///
    /// # Errors
    /// When it is not JSON of that form.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, GithubError> {
        let malformed = |cause| GithubError::Malformed { operation: self.operation, cause };
        serde_json::from_str(&self.text).map_err(malformed)
    }

    /// A parameter of the next page's address, from the `Link` header (RFC 8288); `None` on the last page.
    pub fn next_page(&self, parameter: &str) -> Option<String> {
        let links = self.headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
        let next = links.flat_map(|links| links.split(',')).find(|link| is_next(link))?;
        let (_, rest) = next.split_once('<')?;
        let (address, _) = rest.split_once('>')?;
        // Only the parameter is used: where requests go is ours to say.
        let (_, query) = address.split_once('?')?;
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.find(|(name, _)| name == parameter).map(|(_, value)| value.into_owned())
    }
}

fn is_next(link: &str) -> bool {
    link.split(';').skip(1).any(|parameter| matches!(parameter.trim(), "rel=\"next\"" | "rel=next"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(link: &str) -> Answer {
        let headers = HeaderMap::from_iter([(LINK, link.parse().unwrap())]);
        Answer { operation: "a test", headers, text: String::new() }
    }

    #[test]
    fn the_next_page_is_read_from_the_link_header() {
        let both = answer(
            "<https://api.github.com/app/hook/deliveries?per_page=100&cursor=v1_5%2B>; rel=\"next\", \
             <https://api.github.com/app/hook/deliveries?per_page=100>; rel=\"first\"",
        );
        assert_eq!(both.next_page("cursor").as_deref(), Some("v1_5+"));
        assert_eq!(both.next_page("page"), None);
        for last in
            ["<https://x/?cursor=a>; rel=\"prev\"", "", "<https://x/>; rel=\"next\"", "https://x/?cursor=a; rel=next"]
        {
            assert_eq!(answer(last).next_page("cursor"), None, "{last}");
        }
    }
}
