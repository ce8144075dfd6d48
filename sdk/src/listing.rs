//! What is asked of list-functions: what an owner has deployed.

use serde::{Deserialize, Serialize};

use crate::id::Owner;

/// The function that lists.
pub const LIST_FUNCTION: &str = "list-functions";
/// Where it answers with pages, and what a question for one is signed for:
/// `functions.invoke(LIST_PAGE, &request, &call)`.
pub const LIST_PAGE: &str = "list-functions/page";

/// A page has at most so many functions.
pub const MAX_PAGE: usize = 200;
/// The longest text that names are searched for, in bytes.
pub const MAX_FILTER_BYTES: usize = 256;

/// Asks for a part of an owner's functions, at [`LIST_PAGE`]; the answer is a [`Page`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRequest {
    /// Whose.
    #[serde(flatten)]
    pub of: ListRequest,
    /// Only names with this text, whatever its case; at most [`MAX_FILTER_BYTES`].
    #[serde(default)]
    pub filter: String,
    /// What the page before gave as [`Page::after`]; the first page where empty.
    #[serde(default)]
    pub after: String,
    /// At most so many; never more than [`MAX_PAGE`].
    #[serde(default)]
    pub limit: Option<usize>,
}

/// A part of an owner's functions, sorted by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// The functions, without environment and secrets' names.
    pub functions: Vec<crate::gateway::FunctionStatus>,
    /// What to ask for next; absent on the last page.
    #[serde(default)]
    pub after: Option<String>,
    /// How many there are on all pages.
    pub total: usize,
}

/// Asks for an owner's functions. The answer is a JSON array of
/// [`FunctionStatus`](crate::gateway::FunctionStatus) without environment and secrets' names, sorted by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListRequest {
    /// The source-code host's name.
    pub host: String,
    /// Whose functions.
    #[serde(flatten)]
    pub of: Whose,
}

/// An owner by number, or by current login where the number is not at hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// The owner's number at the host: finds functions deployed under an earlier login, too.
    OwnerId(u64),
    /// The login under which the functions were deployed.
    Owner(Owner),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_name_an_owner_are_read() {
        let by_id = ListRequest { host: "github.com".to_owned(), of: Whose::OwnerId(7) };
        assert_eq!(serde_json::to_string(&by_id).unwrap(), r#"{"host":"github.com","owner_id":7}"#);
        let by_login = serde_json::from_str::<ListRequest>(r#"{"host":"github.com","owner":"Alice"}"#).unwrap();
        assert_eq!(by_login.of, Whose::Owner("alice".parse().unwrap()));
        assert!(serde_json::from_str::<ListRequest>(r#"{"host":"github.com"}"#).is_err());
    }
}
