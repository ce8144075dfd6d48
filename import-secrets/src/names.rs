//! Names of secrets and of their keys.

use sdk::id::Owner;
use sdk::secrets::SecretName;

/// The longest name of a key. With its secret's name before it, it must fit into the 253 characters of a gateway's secret.
const MAX_KEY: usize = 128;

/// The name in the stage.
pub(crate) fn in_stage(owner: &Owner, secret: &SecretName) -> String {
    format!("{owner}-{secret}")
}

/// The owner's secret that a name in the stage means. The hyphen counts: `alice` has no secret `alicedb`.
pub(crate) fn own(owner: &Owner, name: &str) -> Option<SecretName> {
    name.strip_prefix(owner.as_str())?.strip_prefix('-')?.parse().ok()
}

/// Whether functions can have a file of this name: Kubernetes' rule for keys, in fewer characters.
pub(crate) fn is_key(key: &str) -> bool {
    let plain = key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    plain && (1..=MAX_KEY).contains(&key.len()) && key != "." && !key.starts_with("..")
}

/// A few of many names, for a sentence.
pub(crate) fn some<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> String {
    const SHOWN: usize = 10;
    let mut names = names.into_iter();
    let shown: Vec<_> = names.by_ref().take(SHOWN).map(|name| name.as_ref().to_owned()).collect();
    match names.count() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_its_owners_by_the_whole_login_and_a_hyphen() {
        let own = |login: &str, name| super::own(&login.parse().unwrap(), name).map(String::from);
        assert_eq!(own("alice", "alice-db").as_deref(), Some("db"));
        assert_eq!(own("alice", "alice-x-db").as_deref(), Some("x-db"), "whose that is, the tenant list says");
        assert_eq!(own("a-b", "a-b-c").as_deref(), Some("c"));
        for other in [
            "alice",
            "alice-",
            "alicedb",
            "alicex-db",
            "db",
            "bob-db",
            "-db",
            "alice--db",
            "alice-db.a",
            "Alice-db",
            "alice-DB",
        ] {
            assert_eq!(own("alice", other), None, "{other}");
        }
    }

    #[test]
    fn keys_are_names_of_files() {
        for good in ["password", "tls.crt", ".npmrc", "A_b-9", "-", &"k".repeat(128)] {
            assert!(is_key(good), "{good}");
        }
        for bad in ["", ".", "..", "..data", "a/b", "/etc/passwd", "a b", "ä", "a\0", "a\n", &"k".repeat(129)] {
            assert!(!is_key(bad), "{bad:?}");
        }
    }

    #[test]
    fn of_many_names_a_few_are_shown() {
        assert_eq!(some(["a", "b"]), "a, b");
        assert_eq!(some((0..12).map(|n| n.to_string())), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more");
    }
}
