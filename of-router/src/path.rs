//! Paths that mean the same to everybody who reads them.
//!
//! Whatever a server behind us does to a path (decode it, clean it, cut parameters off), a path that passes
//! here names the same thing before and after.

/// The longest path, in bytes.
const MAX_PATH: usize = 8 * 1024;

/// Why a path is not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadPath {
    #[error("it does not begin with a slash")]
    NotOrigin,
    #[error("it is too long")]
    TooLong,
    #[error("it holds a character that has to be percent-encoded")]
    Character,
    #[error("a percent sign is not followed by two hexadecimal digits")]
    Encoding,
    #[error("an encoded slash, backslash, percent sign or control character could be read in two ways")]
    Ambiguous,
    #[error("it has an empty part ('//')")]
    EmptyPart,
    #[error("it has a part that is '.' or '..'")]
    Dots,
}

/// Checks a path as it was sent.
pub(crate) fn check(path: &str) -> Result<(), BadPath> {
    let rest = path.strip_prefix('/').ok_or(BadPath::NotOrigin)?;
    if path.len() > MAX_PATH {
        return Err(BadPath::TooLong);
    }
    let count = rest.split('/').count();
    for (index, part) in rest.split('/').enumerate() {
        // Only the last part may be empty: the path ends with a slash.
        if part.is_empty() && index + 1 < count {
            return Err(BadPath::EmptyPart);
        }
        check_part(part)?;
    }
    Ok(())
}

fn check_part(part: &str) -> Result<(), BadPath> {
    // Most parts can mean one thing only.
    if part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
        return Ok(());
    }
    let mut decoded = Vec::with_capacity(part.len());
    let mut bytes = part.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => decoded.push(decode(bytes.next(), bytes.next())?),
            _ if is_plain(byte) => decoded.push(byte),
            _ => return Err(BadPath::Character),
        }
    }
    // Some servers cut everything from a semicolon on, and some do so before they look at dots.
    let name = decoded.split(|b| *b == b';').next().unwrap_or_default();
    if matches!(name, b"." | b"..") || (name.is_empty() && !decoded.is_empty()) {
        return Err(BadPath::Dots);
    }
    Ok(())
}

fn decode(high: Option<u8>, low: Option<u8>) -> Result<u8, BadPath> {
    let digit = |byte: Option<u8>| byte.and_then(|b| char::from(b).to_digit(16)).ok_or(BadPath::Encoding);
    let byte = u8::try_from(digit(high)? * 16 + digit(low)?).map_err(|_| BadPath::Encoding)?;
    match byte {
        b'/' | b'\\' | b'%' | 0x7f => Err(BadPath::Ambiguous),
        _ if byte < 0x20 => Err(BadPath::Ambiguous),
        _ => Ok(byte),
    }
}

/// What RFC 3986 allows in a part of a path without encoding.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_paths_pass() {
        for path in [
            "/",
            "/fn",
            "/fn/",
            "/fn/a/b.txt",
            "/fn/%C3%A9",
            "/fn/a;b=c",
            "/fn/a%20b",
            "/fn/...",
            "/fn/.hidden",
            "/fn/a..b",
            "/fn/~a@b:c",
        ] {
            assert_eq!(check(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn paths_that_could_mean_two_things_do_not() {
        let cases = [
            ("", BadPath::NotOrigin),
            ("*", BadPath::NotOrigin),
            ("fn", BadPath::NotOrigin),
            ("//", BadPath::EmptyPart),
            ("//fn", BadPath::EmptyPart),
            ("/fn//x", BadPath::EmptyPart),
            ("/fn/./x", BadPath::Dots),
            ("/fn/../x", BadPath::Dots),
            ("/..", BadPath::Dots),
            ("/fn/%2e%2e/x", BadPath::Dots),
            ("/fn/.%2E/x", BadPath::Dots),
            ("/fn/..;/x", BadPath::Dots),
            ("/fn/..;a=b/x", BadPath::Dots),
            ("/fn/..%3b/x", BadPath::Dots),
            ("/fn/;/x", BadPath::Dots),
            ("/fn/..%2fx", BadPath::Ambiguous),
            ("/fn/a%5cb", BadPath::Ambiguous),
            ("/fn/%252e%252e/", BadPath::Ambiguous),
            ("/fn/%00", BadPath::Ambiguous),
            ("/fn/%0d%0a", BadPath::Ambiguous),
            ("/fn/%7f", BadPath::Ambiguous),
            ("/fn/%", BadPath::Encoding),
            ("/fn/%4", BadPath::Encoding),
            ("/fn/%zz", BadPath::Encoding),
            ("/fn/a\\b", BadPath::Character),
            ("/fn/a b", BadPath::Character),
            ("/fn/\u{e9}", BadPath::Character),
            ("/fn/<x>", BadPath::Character),
            ("/fn/a\tb", BadPath::Character),
            ("/fn/a|b", BadPath::Character),
            ("/fn/#x", BadPath::Character),
        ];
        for (path, expected) in cases {
            assert_eq!(check(path), Err(expected), "{path}");
        }
        assert_eq!(check(&format!("/{}", "a".repeat(MAX_PATH))), Err(BadPath::TooLong));
    }
}
