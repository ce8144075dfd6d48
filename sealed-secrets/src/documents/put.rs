//! Editing a file without touching what is not meant.

use super::error::DocumentError;
use super::meaning::Placed;
use super::pieces::{is_blank, is_marker};
use super::{Limits, SealedSecret, parse, pieces, placed, write};

/// The file with the document of that name and namespace replaced, or with it added at the end. All other documents stay byte
/// for byte, and so do the comments around the one that is replaced; what else stands in that one goes.
///
/// # Errors
/// When the file cannot be parsed, before or after. A document that [`parse`] would refuse is never written.
pub fn put(existing: &str, document: &SealedSecret) -> Result<String, DocumentError> {
    put_all(existing, std::slice::from_ref(document))
}

/// The same for several documents at once.
///
/// # Errors
/// As [`put`]; then none is put.
pub fn put_all(existing: &str, documents: &[SealedSecret]) -> Result<String, DocumentError> {
    let limits = Limits::default();
    let mut before = placed(existing, &limits)?;
    let mut fresh: Vec<&SealedSecret> = Vec::new();
    for document in documents {
        match before.iter_mut().find(|placed| is_same(&placed.document, document)) {
            Some(placed) => placed.document = document.clone(),
            None => fresh.push(document),
        }
    }
    let mut text = replaced(existing, &before, documents);
    for document in &fresh {
        add(&mut text, document);
    }
    // YAML has more corners than an editor: what comes out is read again, and is exactly what was meant, or nothing.
    let expected = before.iter().map(|placed| &placed.document).chain(fresh);
    if !parse(&text, &limits)?.iter().eq(expected) {
        return Err(DocumentError::whole(
            "the file cannot be edited without changing its other documents: write it anew",
        ));
    }
    Ok(text)
}

fn is_same(one: &SealedSecret, other: &SealedSecret) -> bool {
    (&one.namespace, &one.name) == (&other.namespace, &other.name)
}

fn add(text: &mut String, document: &SealedSecret) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&write::to_yaml(document));
}

fn replaced(existing: &str, all: &[Placed], documents: &[SealedSecret]) -> String {
    let mut text = String::with_capacity(existing.len());
    for piece in pieces::of(existing) {
        let own = all.iter().find(|placed| placed.start == piece.start).map(|placed| &placed.document);
        match own.filter(|own| documents.iter().any(|document| is_same(document, own))) {
            Some(document) => push_replaced(&mut text, piece.text, document),
            None => text.push_str(piece.text),
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
