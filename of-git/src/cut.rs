//! Text from outside, kept no longer than it may be.

/// The beginning of a text, at most `max` bytes.
pub(crate) fn cut(mut text: String, max: usize) -> String {
    text.truncate(text.floor_char_boundary(max));
    text
}

/// The end of a text, at most `max` bytes: a log's last lines are the ones that matter.
pub(crate) fn last(text: String, max: usize) -> String {
    let start = text.ceil_char_boundary(text.len().saturating_sub(max));
    text[start..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_stay_whole() {
        assert_eq!((cut("aüb".into(), 2), last("aüb".into(), 2)), ("a".to_owned(), "b".to_owned()));
        assert_eq!((cut("ab".into(), 9), last("ab".into(), 9)), ("ab".to_owned(), "ab".to_owned()));
    }
}
