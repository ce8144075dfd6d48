//! Lists of many pages, linked by `Link` headers (RFC 8288).

use http::HeaderMap;
use http::header::LINK;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use url::Url;

use super::ProviderError;
use super::caller::Caller;

/// With a hundred entries each; who has more is not signed in, rather than with a part of them.
pub(super) const MAX_PAGES: usize = 50;

/// All pages of the list at `first`, in the name of a person. `public` is the same list as browsers would write it.
///
/// The links are only believed about their query, so the token cannot be led away from the configured host.
pub(super) async fn all<T: DeserializeOwned>(
    caller: &Caller,
    first: Url,
    public: &Url,
    token: &SecretString,
) -> Result<Vec<T>, ProviderError> {
    let mut url = first;
    let mut entries = Vec::new();
    for _ in 0..MAX_PAGES {
        let (page, headers): (Vec<T>, HeaderMap) = caller.get(url.clone(), Some(token)).await?;
        entries.extend(page);
        let Some(next) = next(&headers, &url)? else { return Ok(entries) };
        if !is_same_place(&next, &url) && !is_same_place(&next, public) {
            return Err(ProviderError::ForeignPage);
        }
        url.set_query(next.query());
    }
    Err(ProviderError::TooManyPages(MAX_PAGES))
}

fn is_same_place(one: &Url, other: &Url) -> bool {
    one.origin() == other.origin() && one.path() == other.path()
}

/// The link to the page after `here`, if there is one.
fn next(headers: &HeaderMap, here: &Url) -> Result<Option<Url>, ProviderError> {
    let nonsense =
        || ProviderError::Nonsense { path: here.path().to_owned(), why: "its Link header is malformed".into() };
    for value in headers.get_all(LINK) {
        let mut rest = value.to_str().map_err(|_| nonsense())?.trim();
        while !rest.is_empty() {
            let (target, after) = rest.strip_prefix('<').and_then(|rest| rest.split_once('>')).ok_or_else(nonsense)?;
            // Parameters hold no '<', so the next one begins the next link.
            let (parameters, following) = after.split_at(after.find('<').unwrap_or(after.len()));
            if parameters.split([';', ',']).any(is_rel_next) {
                return here.join(target).map(Some).map_err(|_| nonsense());
            }
            rest = following;
        }
    }
    Ok(None)
}

fn is_rel_next(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return false };
    name.trim().eq_ignore_ascii_case("rel")
        && value.trim().trim_matches('"').split(' ').any(|rel| rel.eq_ignore_ascii_case("next"))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn next_of(values: &[&'static str]) -> Result<Option<String>, ProviderError> {
        let headers = values.iter().map(|value| (LINK, HeaderValue::from_static(value))).collect();
        Ok(next(&headers, &"https://a.example/list?page=1".parse().unwrap())?.map(String::from))
    }

    #[test]
    fn the_next_page_is_found_among_others() {
        let github = r#"<https://a.example/list?page=1>; rel="prev", <https://a.example/list?a=1,2&page=3>; rel="next", <https://a.example/list?page=9>; rel="last""#;
        assert_eq!(next_of(&[github]).unwrap().unwrap(), "https://a.example/list?a=1,2&page=3");
        assert_eq!(next_of(&["</list?page=2>;title=x;REL=next"]).unwrap().unwrap(), "https://a.example/list?page=2");
        let two = [r#"<x>; rel="first""#, r#"<?page=5>; rel="last next""#];
        assert_eq!(next_of(&two).unwrap().unwrap(), "https://a.example/list?page=5");
        assert_eq!(next_of(&[r#"<x>; rel="nextish""#]).unwrap(), None);
        assert_eq!(next_of(&[]).unwrap(), None);
    }

    #[test]
    fn a_malformed_link_is_not_the_end_of_the_list() {
        for wrong in ["next", r#"<x; rel="next""#, r#"x>; rel="next""#, r#"<http://[>; rel="next""#] {
            assert!(next_of(&[wrong]).is_err(), "{wrong}");
        }
    }
}
