//! A document as YAML. The same document gives the same bytes: maps are sorted, and everything has one spelling.

use std::collections::BTreeMap;

use super::{API_VERSION, KIND, SealedSecret};

/// One document as YAML, with `---` before it and a line feed at the end.
pub fn to_yaml(document: &SealedSecret) -> String {
    format!("---\n{}", body(document))
}

/// The same without `---`.
pub(super) fn body(document: &SealedSecret) -> String {
    let mut text = format!("apiVersion: {API_VERSION}\nkind: {KIND}\n");
    let mut line = |indent: usize, key: &str, value: &str| {
        let space = if value.is_empty() { "" } else { " " };
        text.push_str(&format!("{:indent$}{}:{space}{value}\n", "", scalar(key)));
    };
    line(0, "metadata", "");
    map(&mut line, 2, "annotations", &document.annotations);
    map(&mut line, 2, "labels", &document.labels);
    line(2, "name", &scalar(&document.name));
    line(2, "namespace", &scalar(&document.namespace));
    line(0, "spec", "");
    map(&mut line, 2, "encryptedData", &document.encrypted_data);
    line(2, "template", "");
    line(4, "metadata", "");
    map(&mut line, 6, "annotations", &document.template_annotations);
    map(&mut line, 6, "labels", &document.template_labels);
    line(6, "name", &scalar(&document.name));
    line(6, "namespace", &scalar(&document.namespace));
    line(4, "type", "Opaque");
    text
}

fn map(line: &mut impl FnMut(usize, &str, &str), indent: usize, key: &str, entries: &BTreeMap<String, String>) {
    if entries.is_empty() {
        return;
    }
    line(indent, key, "");
    for (key, value) in entries {
        line(indent + 2, key, &scalar(value));
    }
}

/// Text that YAML reads as this text: plain where it is a word, else in double quotes.
fn scalar(text: &str) -> String {
    if is_word(text) {
        return text.to_owned();
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            // Letters of other languages are readable as they are; all else might not be printable.
            c if c.is_alphanumeric() => quoted.push(c),
            c if u32::from(c) <= 0xffff => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push_str(&format!("\\U{:08X}", u32::from(c))),
        }
    }
    quoted.push('"');
    quoted
}

/// Words that YAML, in one version or another, reads as something else than text.
const NOT_TEXT: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];

fn is_word(text: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '+' | '=');
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(inside)
        && !NOT_TEXT.contains(&text.to_ascii_lowercase().as_str())
}
