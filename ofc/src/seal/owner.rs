//! Whose secret it is. A stage keeps secrets as `<login>-<name>`, and a value is sealed for exactly that name; so the login
//! must be known before anything is sealed.

use std::path::Path;

use sdk::id::Owner;
use sdk::secrets::SecretName;

use crate::git::git;
use crate::report::Trouble;

/// The remotes that are asked whose repository this is, in this order.
const REMOTES: [&str; 2] = ["ofc", "origin"];
/// How long a name may be in a stage.
const MAX_NAME: usize = 253;

/// A secret's two names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Names {
    /// In the stage and in the file: `<login>-<name>`.
    pub(crate) sealed: String,
    /// In stack.yml.
    pub(crate) in_stack: SecretName,
}

/// The names of a secret of an owner's; `name` may have the owner's login before it already.
///
/// # Errors
/// When it is no name.
pub(crate) fn names(owner: &Owner, name: &str) -> anyhow::Result<Names> {
    let prefix = format!("{owner}-");
    let short = name.strip_prefix(&prefix).unwrap_or(name);
    let in_stack: SecretName = short.parse().map_err(|cause| {
        Trouble::usage(format!("'{name}' cannot be a secret's name"))
            .hint("use lower-case letters, digits and hyphens, for example --name db")
            .because(cause)
    })?;
    let sealed = format!("{prefix}{in_stack}");
    if sealed.len() > MAX_NAME {
        return Err(Trouble::usage(format!("the name {sealed} is longer than {MAX_NAME} characters")).into());
    }
    Ok(Names { sealed, in_stack })
}

/// The names of a secret that is called by its whole name, as `faas-cli cloud seal` wants it, where nobody knows the owner:
/// `alice-db`. Logins may have hyphens, so the first one is only the likely end of the login.
pub(crate) fn whole(name: &str) -> Option<Names> {
    let (login, short) = name.split_once('-')?;
    let (owner, in_stack) = (login.parse::<Owner>().ok()?, short.parse().ok()?);
    names(&owner, name).ok().map(|names| Names { in_stack, ..names })
}

/// The owner that is named, or that the remotes of the repository in `folder` agree on.
///
/// # Errors
/// When it is none, or cannot be told.
pub(crate) fn owner(given: Option<&str>, folder: &Path) -> anyhow::Result<Owner> {
    if let Some(given) = given {
        return crate::commands::tenant(given, "--owner alice");
    }
    let mut found: Vec<(&str, Owner)> = Vec::new();
    for remote in REMOTES {
        let owner = git(folder, &["remote", "get-url", remote]).ok().and_then(|url| of_url(&url));
        found.extend(owner.map(|owner| (remote, owner)));
    }
    let unknown = |why: &str| {
        Trouble::usage(format!("whose secret is it? {why}"))
            .hint("say it with --owner LOGIN: the account or organisation that the repository belongs to")
    };
    match found.as_slice() {
        [] => Err(unknown("No git remote here says whose repository this is").into()),
        [(_, owner)] => Ok(owner.clone()),
        [(_, one), (_, other), ..] if one == other => Ok(one.clone()),
        [(first, one), (second, other), ..] => {
            Err(unknown(&format!("The remote '{first}' leads to {one}'s repository, and '{second}' to {other}'s"))
                .into())
        }
    }
}

/// The owner in a repository's address: what stands before the repository's name. Groups in groups are one owner, with
/// hyphens between.
fn of_url(url: &str) -> Option<Owner> {
    let path = match url.split_once("://") {
        Some(("file", _)) => return None,
        Some((_, rest)) => rest.split_once('/')?.1,
        // user@host:path, as ssh has it; never a path of this machine.
        None if url.starts_with(['/', '.']) => return None,
        None => url.split_once(':')?.1,
    };
    let path = path.trim_matches('/');
    let (owner, repository) = path.rsplit_once('/')?;
    let owner: Owner = owner.replace('/', "-").parse().ok()?;
    (!repository.is_empty() && !sdk::reserved::is_login(&owner)).then_some(owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> Owner {
        "alice".parse().unwrap()
    }

    #[test]
    fn a_whole_name_needs_no_owner() {
        let names = whole("alice-db").unwrap();
        assert_eq!((names.sealed.as_str(), names.in_stack.as_str()), ("alice-db", "db"));
        for wrong in ["db", "-db", "alice-", "Alice-db_x", ""] {
            assert!(whole(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn the_prefix_is_added_once_and_with_its_hyphen() {
        let sealed = |name| names(&alice(), name).unwrap().sealed;
        assert_eq!(sealed("db"), "alice-db");
        assert_eq!(sealed("alice-db"), "alice-db");
        assert_eq!(sealed("alicedb"), "alice-alicedb");
        assert_eq!(sealed("alice"), "alice-alice");
        assert_eq!(names(&alice(), "alice-db").unwrap().in_stack.as_str(), "db");
        for wrong in ["", "DB", "a_b", "a/b", "alice-", "-", "a.b", &"a".repeat(64)] {
            assert!(names(&alice(), wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_owner_is_read_from_addresses_of_repositories() {
        for url in [
            "https://github.com/alice/hello.git",
            "https://token@github.com/Alice/hello",
            "http://git.localhost:8000/alice/hello.git",
            "git@github.com:alice/hello.git",
            "ssh://git@github.com:22/alice/hello.git",
        ] {
            assert_eq!(of_url(url), Some(alice()), "{url}");
        }
        assert_eq!(of_url("https://gitlab.com/acme/team/shop.git").unwrap().as_str(), "acme-team");
        for url in [
            "/srv/git/alice/hello.git",
            "../alice/hello",
            "file:///srv/alice/hello",
            "https://github.com/hello",
            "x",
            "",
        ] {
            assert_eq!(of_url(url), None, "{url}");
        }
    }

    #[test]
    fn remotes_that_disagree_or_are_missing_are_asked_about() {
        let folder = tempfile::tempdir().unwrap();
        let run = |arguments: &[&str]| git(folder.path(), arguments).unwrap();
        let told = |given| owner(given, folder.path()).map_err(|error| crate::report::render(&error));
        assert!(told(None).unwrap_err().contains("--owner LOGIN"));
        run(&["init", "--quiet"]);
        run(&["remote", "add", "origin", "git@github.com:acme/shop.git"]);
        assert_eq!(told(None).unwrap().as_str(), "acme");
        run(&["remote", "add", "ofc", "http://git.localhost:8000/alice/shop.git"]);
        insta::assert_snapshot!(told(None).unwrap_err(), @r"
        whose secret is it? The remote 'ofc' leads to alice's repository, and 'origin' to acme's
          hint: say it with --owner LOGIN: the account or organisation that the repository belongs to
        ");
        assert_eq!(told(Some("bob")).unwrap().as_str(), "bob");
        assert!(told(Some("system")).is_err() && told(Some("a b")).is_err());
    }
}
