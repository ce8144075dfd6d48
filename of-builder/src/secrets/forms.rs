//! In which forms a value may turn up in a log: its lines, base64 of it, and percent-encoded as in a URL.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use crate::text;

/// Shorter texts are no secrets, and would hide half of a log.
pub(super) const MIN_BYTES: usize = 4;
/// Longer forms are looked for in pieces, one behind the other.
pub(super) const MAX_BYTES: usize = 512;
/// Of longer values only their lines and their plain base64 are looked for: they are files, and no tokens.
const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// Where the usual programs wrap base64, the most usual one last.
const WRAPPED_AT: [usize; 2] = [64, 76];

/// All texts by which the value is known.
pub(super) fn of(value: &[u8]) -> Vec<String> {
    let mut forms = Vec::new();
    let lines: Vec<String> = value.split(|byte| *byte == b'\n').map(text::plain).collect();
    forms.extend(lines.iter().map(|line| line.trim().to_owned()));
    let trimmed = value.trim_ascii();
    let is_token = trimmed.len() <= MAX_TOKEN_BYTES;
    for bytes in [value, trimmed] {
        let encoded = STANDARD.encode(bytes);
        for width in WRAPPED_AT.into_iter().skip(usize::from(!is_token)) {
            forms.extend(encoded.as_bytes().chunks(width).map(|piece| String::from_utf8_lossy(piece).into_owned()));
        }
        forms.push(encoded);
    }
    if is_token {
        forms.push(lines.concat());
        forms.extend((0..3).flat_map(|offset| inside_base64(trimmed, offset)));
        forms.push(percent_encoded(trimmed));
    }
    let mut pieces: Vec<String> = forms.iter().flat_map(|form| pieces(form)).collect();
    pieces.sort_unstable();
    pieces.dedup();
    pieces
}

/// The characters of base64 that the value alone decides, when `offset` bytes of something else come before it
/// (`user:password`).
fn inside_base64(value: &[u8], offset: usize) -> [String; 2] {
    let padded = [&[0; 3][..offset], value].concat();
    let (from, to) = ((offset * 8).div_ceil(6), padded.len() * 8 / 6);
    [STANDARD.encode(&padded), URL_SAFE.encode(&padded)].map(|text| text.get(from..to).unwrap_or_default().to_owned())
}

fn percent_encoded(value: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    value.iter().map(|byte| if plain(*byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// The form in pieces of bounded length, none too short to be looked for; nothing of a form that is.
fn pieces(form: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = form;
    while rest.len() >= MAX_BYTES + MIN_BYTES {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(MAX_BYTES));
        pieces.push(piece.to_owned());
        rest = after;
    }
    if rest.len() >= MIN_BYTES {
        pieces.push(rest.to_owned());
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_plain_and_encoded_at_any_place() {
        let forms = of(b"npm_s3cr3t+/value\n");
        let known = |text: &str| forms.iter().any(|form| text.contains(form.as_str()));
        assert!(forms.contains(&"npm_s3cr3t+/value".to_owned()));
        assert!(forms.contains(&"npm_s3cr3t%2B%2Fvalue".to_owned()));
        for before in ["", "u", "us", "use", "user:"] {
            for after in ["", "\n", ":x"] {
                let text = format!("{before}npm_s3cr3t+/value{after}");
                assert!(known(&STANDARD.encode(&text)) && known(&URL_SAFE.encode(&text)), "{text}");
            }
        }
    }

    #[test]
    fn a_files_lines_are_known_one_by_one_and_short_ones_not() {
        let forms = of(b"{\n  \"a\": \"first\",\r\n  \"b\": \"second\"\n}\n");
        assert!(forms.contains(&"\"a\": \"first\",".to_owned()) && forms.contains(&"\"b\": \"second\"".to_owned()));
        assert!(!forms.iter().any(|form| form.len() < MIN_BYTES));
    }

    #[test]
    fn short_values_have_no_forms_of_their_own_length() {
        assert!(of(b"").is_empty() && of(b" \n ").iter().all(|form| form.trim() != ""));
        assert!(!of(b"abc").contains(&"abc".to_owned()));
    }

    #[test]
    fn long_forms_are_known_in_pieces_and_wrapped_base64_line_by_line() {
        let value: String = (0..3000).map(|n| char::from(b'a' + (n * 7 % 26) as u8)).collect();
        let forms = of(value.as_bytes());
        assert!(forms.iter().all(|form| (MIN_BYTES..MAX_BYTES + MIN_BYTES).contains(&form.len())));
        assert!(forms.contains(&value[..MAX_BYTES].to_owned()));
        let encoded = STANDARD.encode(&value);
        assert!(encoded.as_bytes().chunks(76).all(|line| forms.contains(&String::from_utf8(line.to_vec()).unwrap())));
    }
}
