//! A push as pages show it.

use sdk::history::{FunctionRecord, PushRecord};

use crate::visitor::Place;
use crate::words::{self, Moment};

/// More functions of one push are only counted.
const MAX_FUNCTIONS: usize = 100;

/// A push and its functions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Push {
    pub(crate) word: &'static str,
    pub(crate) mark: &'static str,
    /// The first line of the commit's message.
    pub(crate) subject: String,
    /// The rest of it.
    pub(crate) rest: String,
    pub(crate) author: String,
    pub(crate) repo: String,
    pub(crate) branch: String,
    pub(crate) short: String,
    pub(crate) commit_url: Option<String>,
    pub(crate) began: Moment,
    pub(crate) took: String,
    /// A sentence.
    pub(crate) description: String,
    pub(crate) functions: Vec<Built>,
    /// So many functions more than those.
    pub(crate) more: usize,
    pub(crate) removed: Vec<String>,
}

/// One function of a push.
#[derive(Debug, Clone, Default)]
pub(crate) struct Built {
    pub(crate) name: String,
    pub(crate) word: &'static str,
    pub(crate) mark: &'static str,
    pub(crate) description: String,
    pub(crate) took: String,
    /// Where its log is; nothing was built without one.
    pub(crate) log: Option<String>,
}

/// A record as it is shown at an owner's pages.
pub(crate) fn shown(place: &Place, record: &PushRecord) -> Push {
    let (word, mark) = words::state(record.state);
    let message = record.message.trim();
    let (subject, rest) = message.split_once('\n').unwrap_or((message, ""));
    let author = if record.author.is_empty() { &record.pusher } else { &record.author };
    Push {
        word: if word == "Live" { "Deployed" } else { word },
        mark,
        subject: if subject.is_empty() { format!("Commit {}", record.sha.short()) } else { cut(subject, 120) },
        rest: rest.trim().to_owned(),
        author: author.clone(),
        repo: record.repo.to_string(),
        branch: record.branch.clone(),
        short: record.sha.short().to_owned(),
        commit_url: commit_url(record),
        began: words::moment(record.began),
        took: record.ended.map(|end| words::took(end.saturating_sub(record.began))).unwrap_or_default(),
        description: record.description.clone(),
        more: record.functions.len().saturating_sub(MAX_FUNCTIONS),
        functions: record.functions.iter().take(MAX_FUNCTIONS).map(|function| built(place, record, function)).collect(),
        removed: record.removed.iter().map(ToString::to_string).collect(),
    }
}

fn built(place: &Place, record: &PushRecord, function: &FunctionRecord) -> Built {
    let (word, mark) = if function.unchanged { ("Unchanged", "calm") } else { words::state(function.state) };
    let took = function.began.zip(function.ended).map(|(began, ended)| words::took(ended.saturating_sub(began)));
    Built {
        name: function.name.to_string(),
        word,
        mark,
        description: function.description.clone(),
        took: took.unwrap_or_default(),
        log: (!function.unchanged).then(|| log_address(place, record, function)),
    }
}

/// The page of a build, as statuses write it.
fn log_address(place: &Place, record: &PushRecord, function: &FunctionRecord) -> String {
    let (owner, repo, sha) = (&record.owner, &record.repo, &record.sha);
    format!("/dashboard/{}/{}/build-log?repoPath={owner}/{repo}&commitSHA={sha}", place.owner, function.name)
}

fn commit_url(record: &PushRecord) -> Option<String> {
    let base = record.html_url.trim_end_matches('/');
    sdk::status::is_link(base).then(|| format!("{base}/commit/{}", record.sha))
}

/// At most so many characters of a text.
pub(super) fn cut(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
