//! The result of a build on the wire, whole or line by line.

use serde::{Deserialize, Serialize};

/// The answer of `GET /load`: an addition to the Function Builder API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// Builds that run.
    pub builds: usize,
    /// So many may run at the same time.
    pub most: usize,
}

/// Where a build stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It runs; more reports follow.
    InProgress,
    /// The image exists.
    Success,
    /// There is no image; `error` says why.
    Failed,
}

/// One JSON answer, or one line of a streamed one. Only the last line has another status than `in_progress`;
/// a stream that ends without such a line broke off and is worth another try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Lines for people.
    pub log: Vec<String>,
    /// `<name>@sha256:<hex>` on success, else empty.
    pub image: String,
    /// Where the build stands.
    pub status: Status,
    /// One sentence on failure, else empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error: String,
    /// The image's digest on success: the registry's if it was pushed, else the engine's image id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The line of the Dockerfile that failed, from 1, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Nothing was built: the image was there, made from the same upload.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reused: bool,
    /// The failure is not the build's own: the same request may succeed later.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retry: bool,
}

impl Report {
    pub(crate) fn progress(log: Vec<String>) -> Self {
        let (image, error) = (String::new(), String::new());
        Self { log, image, status: Status::InProgress, error, digest: None, line: None, reused: false, retry: false }
    }

    pub(crate) fn success(repository: &str, digest: String) -> Self {
        let image = format!("{repository}@{digest}");
        Self { image, status: Status::Success, digest: Some(digest), ..Self::progress(Vec::new()) }
    }

    pub(crate) fn failed(error: impl Into<String>) -> Self {
        Self { status: Status::Failed, error: error.into(), ..Self::progress(Vec::new()) }
    }

    pub(crate) fn unavailable(error: impl Into<String>) -> Self {
        Self { retry: true, ..Self::failed(error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_is_the_function_builders_with_few_fields_more() {
        let json = |report: Report| serde_json::to_string(&report).unwrap();
        insta::assert_snapshot!(json(Report::progress(vec!["[1/2] FROM debian".to_owned()])),
            @r#"{"log":["[1/2] FROM debian"],"image":"","status":"in_progress"}"#);
        insta::assert_snapshot!(json(Report::success("a/b", "sha256:00".to_owned())),
            @r#"{"log":[],"image":"a/b@sha256:00","status":"success","digest":"sha256:00"}"#);
        insta::assert_snapshot!(json(Report { reused: true, ..Report::success("a/b", "sha256:00".to_owned()) }),
            @r#"{"log":[],"image":"a/b@sha256:00","status":"success","digest":"sha256:00","reused":true}"#);
        insta::assert_snapshot!(json(Report { line: Some(3), ..Report::failed("RUN x failed") }),
            @r#"{"log":[],"image":"","status":"failed","error":"RUN x failed","line":3}"#);
        insta::assert_snapshot!(json(Report::unavailable("the engine stopped")),
            @r#"{"log":[],"image":"","status":"failed","error":"the engine stopped","retry":true}"#);
    }
}
