//! Git LFS pointers: small files that stand for content that is kept elsewhere
//! (<https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>).

/// What every pointer begins with.
const FIRST_LINE: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";
/// A pointer is shorter, says its specification, in bytes.
const MAX_POINTER: usize = 1024;

/// A file of a repository that is only a pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    /// Its path in the repository.
    pub path: String,
    /// The size of what it stands for, in bytes.
    pub bytes: u64,
}

/// The size, in bytes, of what the pointer stands for; `None` if the content is none.
pub fn pointed_to(content: &[u8]) -> Option<u64> {
    if content.len() >= MAX_POINTER {
        return None;
    }
    let rest = std::str::from_utf8(content.strip_prefix(FIRST_LINE)?).ok()?;
    let value = |key: &str| rest.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
    let digest = value("oid")?.strip_prefix("sha256:")?;
    let whole = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    value("size")?.parse().ok().filter(|_| whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_told_from_files_about_them() {
        let digest = "0a".repeat(32);
        let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize 12345\n");
        assert_eq!(pointed_to(pointer.as_bytes()), Some(12_345));
        let extended = pointer.replace("oid", "ext-0-foo sha256:00\noid");
        assert_eq!(pointed_to(extended.as_bytes()), Some(12_345));
        for other in [
            "",
            "version https://git-lfs.github.com/spec/v1\n",
            &pointer.replace("size 12345", "size many"),
            &pointer.replace(&digest, "0a"),
            &format!("# {pointer}"),
            &format!("{pointer}{}", "x".repeat(MAX_POINTER)),
        ] {
            assert_eq!(pointed_to(other.as_bytes()), None, "{other}");
        }
    }
}
