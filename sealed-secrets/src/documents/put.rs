//! Editing a file without touching what is not meant.

use super::error::DocumentError;
use super::pieces::{is_blank, is_marker};
use super::{Limits, SealedSecret, parse, pieces, placed, write};

/// The file with the document of that name and namespace replaced, or with it added at the end. All other documents stay byte
/// for byte, and so do the comments around the one that is replaced; what else stands in that one goes.
///
/// # Errors
/// When the file cannot be parsed, before or after. A document that [`parse`] would refuse is never written.
pub fn put(existing: &str, document: &SealedSecret) -> Result<String, DocumentError> {
    let limits = Limits::default();
    let mut before = placed(existing, &limits)?;
    let is_it = |other: &SealedSecret| (&other.namespace, &other.name) == (&document.namespace, &document.name);
    let found = before.iter_mut().find(|placed| is_it(&placed.document));
    let start = found.map(|placed| {
        placed.document = document.clone();
        placed.start
    });
    let mut expected: Vec<SealedSecret> = before.into_iter().map(|placed| placed.document).collect();
    let text = match start {
        Some(start) => replaced(existing, start, document),
        None => {
            expected.push(document.clone());
            added(existing, document)
        }
    };
    // YAML has more corners than an editor: what comes out is read again, and is exactly what was meant, or nothing.
    if parse(&text, &limits)? != expected {
        return Err(DocumentError::whole(
            "the file cannot be edited without changing its other documents: write it anew",
        ));
    }
    Ok(text)
}

fn added(existing: &str, document: &SealedSecret) -> String {
    let mut text = existing.to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&write::to_yaml(document));
    text
}

fn replaced(existing: &str, start: usize, document: &SealedSecret) -> String {
    let mut text = String::with_capacity(existing.len());
    for piece in pieces::of(existing) {
        if piece.start == start {
            push_replaced(&mut text, piece.text, document);
        } else {
            text.push_str(piece.text);
        }
    }
    text
}

/// The new content between the marker with the comments before it and those after it.
fn push_replaced(text: &mut String, piece: &str, document: &SealedSecret) {
    let lines: Vec<&str> = piece.split_inclusive('\n').collect();
    let keep = |line: &&&str| is_blank(line) || is_bare_marker(line);
    let head = lines.iter().take_while(keep).count();
    let tail = lines.iter().rev().take_while(|line| is_blank(line)).count().min(lines.len() - head);
    text.extend(lines.iter().take(head).copied());
    if head == 0 && lines.first().is_some_and(|line| is_marker(line)) {
        text.push_str("---\n");
    }
    text.push_str(&write::body(document));
    text.extend(lines.iter().skip(lines.len() - tail).copied());
}

/// A marker with nothing but a comment behind it.
fn is_bare_marker(line: &str) -> bool {
    is_marker(line) && is_blank(&line[3..])
}
