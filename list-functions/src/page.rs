//! One page of an owner's functions.
//!
//! Pages are cut by name and not by number, so that a function that comes or goes meanwhile moves no other one from its page.

use axum::Json;
use axum::extract::State;
use sdk::failure::Failure;
use sdk::gateway::FunctionStatus;
use sdk::listing::{MAX_FILTER_BYTES, MAX_PAGE, Page, PageRequest};
use sdk::signing::Signed;

use crate::list::{App, owned};

pub(crate) async fn receive(
    State(app): State<App>,
    Signed { message: request, .. }: Signed<PageRequest>,
) -> Result<Json<Page>, Failure> {
    if request.filter.len() > MAX_FILTER_BYTES {
        return Err(Failure::bad_request(format!("the filter has more than {MAX_FILTER_BYTES} bytes")));
    }
    let all = owned(&app, &request.of).await?;
    Ok(Json(cut(all, &request)))
}

/// The page out of all functions, which are sorted by name.
fn cut(mut all: Vec<FunctionStatus>, request: &PageRequest) -> Page {
    let filter = request.filter.to_lowercase();
    // Names are lower-case.
    all.retain(|function| function.name.contains(&filter));
    let total = all.len();
    let begin = all.partition_point(|function| function.name <= request.after);
    let limit = request.limit.unwrap_or(MAX_PAGE).clamp(1, MAX_PAGE);
    let functions: Vec<_> = all.into_iter().skip(begin).take(limit).collect();
    let more = begin + functions.len() < total;
    let after = functions.last().filter(|_| more).map(|last| last.name.clone());
    Page { functions, after, total }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use sdk::listing::{ListRequest, Whose};

    use super::*;

    fn functions(count: usize) -> Vec<FunctionStatus> {
        (0..count).map(|n| FunctionStatus { name: format!("alice-{n:04}"), ..FunctionStatus::default() }).collect()
    }

    fn request(filter: &str, after: &str, limit: Option<usize>) -> PageRequest {
        let of = ListRequest { host: "git.localhost".to_owned(), of: Whose::OwnerId(7) };
        PageRequest { of, filter: filter.to_owned(), after: after.to_owned(), limit }
    }

    fn names(page: &Page) -> Vec<&str> {
        page.functions.iter().map(|function| function.name.as_str()).collect()
    }

    #[test]
    fn pages_follow_each_other_and_the_last_one_says_so() {
        let page = cut(functions(5), &request("", "", Some(2)));
        assert_eq!(
            (names(&page), page.after.as_deref(), page.total),
            (vec!["alice-0000", "alice-0001"], Some("alice-0001"), 5)
        );
        let page = cut(functions(5), &request("", "alice-0001", Some(3)));
        assert_eq!((page.functions.len(), page.after, page.total), (3, None, 5));
        let page = cut(functions(5), &request("", "zzz", None));
        assert_eq!((page.functions.len(), page.after, page.total), (0, None, 5));
    }

    #[test]
    fn a_function_that_went_leaves_its_place_to_nobody() {
        let page = cut(functions(5).split_off(3), &request("", "alice-0001", None));
        assert_eq!(names(&page), ["alice-0003", "alice-0004"]);
    }

    #[test]
    fn the_filter_is_plain_text_whatever_its_case() {
        assert_eq!(names(&cut(functions(20), &request("E-001", "", None))).len(), 10);
        assert_eq!(cut(functions(20), &request(".*", "", None)).total, 0);
    }

    #[test]
    fn a_page_has_at_least_one_and_at_most_as_many_as_the_contract_says() {
        assert_eq!(cut(functions(500), &request("", "", Some(usize::MAX))).functions.len(), MAX_PAGE);
        assert_eq!(cut(functions(500), &request("", "", Some(0))).functions.len(), 1);
        assert_eq!(cut(functions(500), &request("", "", None)).after.as_deref(), Some("alice-0199"));
    }

    #[test]
    fn a_thousand_functions_are_cut_quickly() {
        let all = functions(1000);
        let began = Instant::now();
        let page = cut(all, &request("alice", "alice-0500", None));
        assert_eq!(page.functions.len(), MAX_PAGE);
        assert!(began.elapsed() < Duration::from_millis(50));
    }
}
