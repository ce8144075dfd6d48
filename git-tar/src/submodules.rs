//! Submodules of a repository: which ones its functions need, and where they may come from.
//!
//! Whoever may push to a repository decides what its `.gitmodules` says, and the platform fetches it with its own
//! credentials. So a submodule is only taken from the same host and from beside the repository itself (the same owner,
//! at GitLab the same group), and an operator has to allow it: a pusher then reads all that the platform may read there.

use std::sync::Arc;

use sdk::context::{ContextError, RelPath, Tree};
use sdk::event::PushEvent;
use sdk::id::HostPath;
use sdk::stack::Stack;
use url::Url;

use crate::problem::{MODULES_FILE, Problem};

/// The most submodules that one push may need.
const MAX_NEEDED: usize = 10;
/// The largest `.gitmodules` in bytes.
const MAX_FILE: u64 = 64 * 1024;
const HINT: &str = "write it as '../<name>.git', beside this repository";

/// A submodule as `.gitmodules` names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Submodule {
    pub(crate) path: RelPath,
    pub(crate) url: String,
    /// The line that says where it is.
    pub(crate) line: u32,
}

/// The submodules that the stack's functions have files in. What links inside a folder lead to is not looked for.
pub(crate) fn needed(tree: &Arc<Tree>, stack: &Stack) -> Result<Vec<Submodule>, Problem> {
    let refused = |problem: String| Problem::Submodule { line: None, problem };
    let file: RelPath = MODULES_FILE.parse().map_err(|error| refused(format!("{error}")))?;
    let text = tree.read_text(&file, MAX_FILE).map_err(|error| refused(error.to_string()))?;
    let Some(text) = text else { return Ok(Vec::new()) };
    let wanted = wanted_paths(tree, stack);
    let touches = |module: &Submodule| wanted.iter().any(|path| is_in(path, &module.path) || is_in(&module.path, path));
    let needed: Vec<Submodule> = parse(&text).into_iter().filter(touches).collect();
    match needed.get(MAX_NEEDED) {
        None => Ok(needed),
        Some(one_more) => Err(Problem::Submodule {
            line: Some(one_more.line),
            problem: format!("the functions need {} submodules and may need {MAX_NEEDED}", needed.len()),
        }),
    }
}

/// What functions are made of, by path; where a link leads into a submodule, that one's path, too.
fn wanted_paths(tree: &Arc<Tree>, stack: &Stack) -> Vec<RelPath> {
    let of_functions = stack
        .functions
        .iter()
        .flat_map(|function| std::iter::once(&function.handler).chain(&function.environment_files));
    let mut paths: Vec<RelPath> = of_functions.chain(&stack.copy).filter_map(|path| path.parse().ok()).collect();
    let behind_links = paths.iter().filter_map(|path| match tree.locate(path) {
        Err(ContextError::Submodule { path }) => path.parse().ok(),
        _ => None,
    });
    let behind_links: Vec<RelPath> = behind_links.collect();
    paths.extend(behind_links);
    paths
}

fn is_in(path: &RelPath, folder: &RelPath) -> bool {
    folder.is_root()
        || path == folder
        || path.as_str().strip_prefix(folder.as_str()).is_some_and(|rest| rest.starts_with('/'))
}

/// The path at the event's host that a submodule is fetched from, without `.git`.
pub(crate) fn source(event: &PushEvent, base: &Url, module: &Submodule) -> Result<String, Problem> {
    let shown: String = module.url.chars().filter(|c| !c.is_control()).take(200).collect();
    let refused = |problem: &str| Problem::Submodule {
        line: Some(module.line),
        problem: format!("the submodule '{}' {problem}: {HINT}", module.path),
    };
    let own = event.path_at_host();
    let path = if module.url.starts_with("../") || module.url.starts_with("./") {
        relative(&own, &module.url).ok_or_else(|| refused(&format!("has the URL '{shown}', which leads too far up")))?
    } else {
        absolute(&event.host, base, &module.url).map_err(|problem| refused(&problem))?
    };
    let path = path.trim_end_matches('/').trim_end_matches(".git");
    let path: HostPath =
        path.parse().map_err(|_| refused(&format!("has the URL '{shown}', which is no repository's")))?;
    let folder = |path: &str| path.rsplit_once('/').map(|(folder, _)| folder.to_ascii_lowercase());
    if folder(path.as_str()) != folder(&own) {
        return Err(refused(&format!("is in '{path}', which is not this repository's owner's")));
    }
    Ok(path.to_string())
}

/// As git does it: the URL's parts after the repository's own path.
fn relative(own: &str, url: &str) -> Option<String> {
    let mut parts: Vec<&str> = own.split('/').collect();
    for part in url.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

fn absolute(host: &str, base: &Url, url: &str) -> Result<String, String> {
    let plain = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "https" | "http"));
    let Some(url) = plain else { return Err("has a URL that is neither relative nor https".to_owned()) };
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Err("has a user name, password or query in its URL".to_owned());
    }
    let inside = base.path().trim_end_matches('/');
    if url.origin() == base.origin()
        && let Some(path) = url.path().strip_prefix(inside)
    {
        return Ok(path.trim_start_matches('/').to_owned());
    }
    match url.host_str() {
        Some(named) if named.eq_ignore_ascii_case(host) => Ok(url.path().trim_start_matches('/').to_owned()),
        named => Err(format!("is at the host '{}', which is not this repository's", named.unwrap_or_default())),
    }
}

/// The submodules of a `.gitmodules` that have both a path and a URL. git's own reader would follow `include`.
fn parse(text: &str) -> Vec<Submodule> {
    let mut found = Vec::new();
    let (mut path, mut url) = (None, None);
    for (number, line) in (1u32..).zip(text.lines()) {
        let line = line.trim();
        if line.starts_with('[') {
            (path, url) = (None, None);
            continue;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        let value = value.trim().trim_matches('"');
        match key.trim().to_ascii_lowercase().as_str() {
            "path" => path = value.parse::<RelPath>().ok().filter(|path| !path.is_root()),
            "url" => url = Some((value.to_owned(), number)),
            _ => continue,
        };
        if let (Some(path), Some((url, line))) = (&path, &url) {
            found.push(Submodule { path: path.clone(), url: url.clone(), line: *line });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(path: Option<&str>) -> PushEvent {
        let mut event = serde_json::json!({
            "host": "git.localhost", "owner": "alice", "owner_id": 1, "repo": "app", "repo_id": 2, "private": false,
            "branch": "main", "default_branch": "main", "sha": "a".repeat(40), "html_url": "", "installation": 0,
            "pusher": "a",
        });
        if let Some(path) = path {
            event["path"] = path.into();
        }
        serde_json::from_value(event).unwrap()
    }

    fn from(event: &PushEvent, url: &str) -> Result<String, String> {
        let base = "http://127.0.0.1:81/git".parse().unwrap();
        let module = Submodule { path: "lib".parse().unwrap(), url: url.to_owned(), line: 3 };
        source(event, &base, &module).map_err(|problem| problem.to_string())
    }

    #[test]
    fn neighbours_are_found_however_they_are_written() {
        for url in [
            "../lib.git",
            "../lib",
            "./../lib/",
            "https://git.localhost/alice/lib.git",
            "https://GIT.localhost/Alice/lib",
            "http://127.0.0.1:81/git/alice/lib.git",
        ] {
            assert_eq!(from(&event(None), url).map(|path| path.to_lowercase()).as_deref(), Ok("alice/lib"), "{url}");
        }
        let grouped = event(Some("Acme/team/app"));
        assert_eq!(from(&grouped, "../lib.git").as_deref(), Ok("Acme/team/lib"));
    }

    #[test]
    fn everything_else_is_refused() {
        for url in [
            "../../bob/lib.git",
            "../../../../etc",
            "./lib",
            "https://evil.example/alice/lib.git",
            "https://git.localhost.evil.example/alice/lib.git",
            "https://git.localhost/bob/lib.git",
            "https://git.localhost/alice/../bob/lib.git",
            "https://alice:secret@git.localhost/alice/lib.git",
            "git@git.localhost:alice/lib.git",
            "ssh://git.localhost/alice/lib.git",
            "file:///etc",
            "/etc",
            "http://127.0.0.1:82/git/alice/lib.git",
            "http://127.0.0.1:81/other/alice/lib.git",
            "",
        ] {
            let refused = from(&event(None), url).unwrap_err();
            assert!(
                refused.starts_with(".gitmodules: the submodule 'lib' ") && refused.ends_with(HINT),
                "{url}: {refused}"
            );
            assert!(!refused.contains("secret"));
        }
        assert!(from(&event(Some("acme/team/app")), "../../other/lib.git").is_err());
        assert!(from(&event(Some("acme/team/app")), "../../lib.git").is_err());
    }

    #[test]
    fn the_file_is_read_without_git() {
        let text = "[include]\n\tpath = /etc/passwd\n[submodule \"a\"]\n\tpath = libs/a\n\turl = ../a.git\n\tbranch = x\n[submodule \"b\"]\n  URL=\"https://x/y\"\n  path = \"b\"\n[submodule \"c\"]\npath = ../out\nurl = z\n";
        let found = parse(text);
        let shown: Vec<_> = found.iter().map(|one| (one.path.as_str(), one.url.as_str(), one.line)).collect();
        assert_eq!(shown, [("libs/a", "../a.git", 5), ("b", "https://x/y", 8)]);
    }
}
