//! Who a project's owner is here.
//!
//! An owner is a namespace (a user or a group, at any depth) by its number. Its login is its full path, in lower case,
//! with a hyphen for each slash: projects in `Acme/team` are `acme-team`'s. A display name, which anybody chooses at
//! will, is never looked at. A path that does not become a login by that is refused; nothing is left out to make it fit.
//!
//! Groups in groups are admitted by the top one, whose members alone can make them. So a login on the tenant list
//! always means a user or a group at the top: whoever is not on it cannot become `acme-team` by a group `team`
//! in a group `acme`, and who is on it as `acme` cannot become another tenant `acme-team`.

use sdk::id::{HostPath, InvalidId, Owner};

/// The login of a namespace, by its full path.
pub(crate) fn login(full_path: &str) -> Result<Owner, InvalidId> {
    full_path.to_ascii_lowercase().replace('/', "-").parse()
}

/// The first part of a namespace's path, where it has more than one.
pub(crate) fn top(full_path: &str) -> Option<&str> {
    full_path.split_once('/').map(|(top, _)| top)
}

/// A project's path without its own name: its namespace's.
pub(crate) fn namespace(project: &HostPath) -> &str {
    project.as_str().rsplit_once('/').map_or("", |(namespace, _)| namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_the_whole_path_in_lower_case() {
        for (path, expected) in [("Alice", "alice"), ("acme/Team", "acme-team"), ("a/b/c-d", "a-b-c-d")] {
            assert_eq!(login(path).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn nothing_is_left_out_to_make_a_path_fit() {
        let long = format!("{}/{}", "a".repeat(20), "b".repeat(20));
        for path in ["", "my_group", "john.doe", "-a", "a/", "ä", "a b", long.as_str()] {
            assert!(login(path).is_err(), "{path}");
        }
    }

    #[test]
    fn the_top_is_there_only_below_it() {
        assert_eq!((top("acme"), top("acme/team/x")), (None, Some("acme")));
        assert_eq!(namespace(&"acme/team/hello".parse().unwrap()), "acme/team");
    }
}
