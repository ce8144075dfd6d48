//! What a document says, and what it may not say.

use std::collections::BTreeMap;

use super::error::{DocumentError, plain};
use super::node::{self, Content, Node};
use super::pieces::Piece;
use super::{API_VERSION, KIND, SealedSecret};
use crate::envelope::MAX_SEALED_CHARS;

/// Annotations of the controller's, all of which make a secret less than sealed for one place.
const CONTROLLER: &str = "sealedsecrets.bitnami.com/";
/// Copies of a secret that `kubectl apply` keeps beside it, in the clear.
const LAST_APPLIED: &str = "/last-applied-configuration";
/// How long names of Kubernetes may be.
const MAX_NAME: usize = 253;
const MAX_NAMESPACE: usize = 63;
/// How long a key may be: behind its secret's name it has to fit into the name of a gateway's secret.
const MAX_KEY: usize = 128;

/// A document and where it stands.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) document: SealedSecret,
    /// The line in which its content begins.
    pub(super) line: usize,
    /// The first byte of its piece.
    pub(super) start: usize,
}

/// Reads a piece; `None` if there is nothing in it.
pub(super) fn read(piece: &Piece<'_>) -> Result<Option<Placed>, DocumentError> {
    if piece.text.lines().find(|line| !super::pieces::is_blank(line)).is_some_and(|line| line.starts_with('%')) {
        return Err(DocumentError::at(piece.line, "YAML directives ('%') are not taken: remove the line"));
    }
    let Some(root) = node::read(piece)? else { return Ok(None) };
    let document = document(&root)?;
    Ok(Some(Placed { document, line: root.line, start: piece.start }))
}

fn document(root: &Node) -> Result<SealedSecret, DocumentError> {
    let top = Fields::of(root, "a sealed secret ('apiVersion: bitnami.com/v1alpha1')")?;
    check_kind(&top)?;
    top.only(&["apiVersion", "kind", "metadata", "spec", "status"], "a sealed secret")?;
    let metadata = Fields::of(top.need("metadata")?, "'metadata'")?;
    let name = name(&metadata, "name", MAX_NAME, true)?;
    let namespace = name_or_absent(&metadata, "namespace", MAX_NAMESPACE, false)?.ok_or_else(|| {
        let message = "'metadata.namespace' is missing: a value is sealed for one namespace, for example openfaas-fn";
        DocumentError::at(metadata.line, message)
    })?;
    let spec = Fields::of(top.need("spec")?, "'spec'")?;
    if let Some(old) = spec.get("data") {
        return Err(old.refuse("'spec.data' is of an old form that seals all values as one: seal the secret again"));
    }
    spec.only(&["data", "encryptedData", "template"], "'spec'")?;
    let mut document = SealedSecret {
        labels: texts(metadata.get("labels"), "labels")?,
        annotations: annotations(metadata.get("annotations"))?,
        encrypted_data: values(spec.get("encryptedData"), spec.line)?,
        name,
        namespace,
        ..SealedSecret::default()
    };
    if let Some(template) = spec.get("template") {
        read_template(template, &mut document)?;
    }
    Ok(document)
}

fn check_kind(top: &Fields<'_>) -> Result<(), DocumentError> {
    let kind = top.need("kind")?;
    let is = |node: &Node, wanted: &str| matches!(&node.content, Content::Text(text) if text == wanted);
    if is(kind, "Secret") {
        return Err(kind.refuse(
            "this secret is not sealed: everybody who can read the repository can read its values. Seal it with \
             `ofc seal`; if it was pushed anywhere, its values have to be changed",
        ));
    }
    if !is(kind, KIND) {
        return Err(kind.refuse("only documents with 'kind: SealedSecret' may be in the file: move this one elsewhere"));
    }
    let version = top.need("apiVersion")?;
    if !is(version, API_VERSION) {
        return Err(version.refuse(format!("'apiVersion' has to be {API_VERSION}")));
    }
    Ok(())
}

/// What a cluster makes of the secret beside its values.
fn read_template(template: &Node, document: &mut SealedSecret) -> Result<(), DocumentError> {
    let template = Fields::of(template, "'spec.template'")?;
    template.only(&["metadata", "type", "immutable", "data"], "'spec.template'")?;
    template.allow(
        "data",
        |data| matches!(data, Content::Map(entries) if entries.is_empty()),
        || "'spec.template.data' is not taken: seal the finished values, one for each key".to_owned(),
    )?;
    template.allow(
        "type",
        |kind| matches!(kind, Content::Text(text) if text.is_empty() || text == "Opaque"),
        || "functions mount secrets of the type Opaque alone: seal it with 'type: Opaque'".to_owned(),
    )?;
    template.allow(
        "immutable",
        |immutable| *immutable == Content::Other,
        || "an immutable secret could not be changed by a push: remove 'immutable'".to_owned(),
    )?;
    let Some(metadata) = template.get("metadata") else { return Ok(()) };
    let metadata = Fields::of(metadata, "'spec.template.metadata'")?;
    for (field, outside) in [("name", &document.name), ("namespace", &document.namespace)] {
        metadata.allow(
            field,
            |inside| matches!(inside, Content::Text(text) if text == outside || text.is_empty()),
            || format!("'spec.template.metadata.{field}' differs from 'metadata.{field}': a secret has one name"),
        )?;
    }
    document.template_labels = texts(metadata.get("labels"), "labels")?;
    document.template_annotations = annotations(metadata.get("annotations"))?;
    Ok(())
}

fn annotations(node: Option<&Node>) -> Result<BTreeMap<String, String>, DocumentError> {
    for (name, value) in node.map(Node::entries).unwrap_or_default() {
        if let Some(what) = name.strip_prefix(CONTROLLER) {
            let what = plain(what);
            return Err(value.refuse(match what.as_str() {
                "namespace-wide" | "cluster-wide" => {
                    format!(
                        "a secret that is sealed {what} could be used under other names: seal it in the strict scope"
                    )
                }
                _ => format!("the annotation {CONTROLLER}{what} is not taken: remove it"),
            }));
        }
        if name.ends_with(LAST_APPLIED) {
            return Err(value.refuse(
                "this annotation holds the secret in the clear: remove it, and change the values if it was pushed",
            ));
        }
    }
    texts(node, "annotations")
}

fn texts(node: Option<&Node>, what: &str) -> Result<BTreeMap<String, String>, DocumentError> {
    let Some(node) = node else { return Ok(BTreeMap::new()) };
    let fields = Fields::of(node, &format!("'{what}'"))?;
    let text = |(name, value): &(String, Node)| match &value.content {
        Content::Text(text) => Ok((name.clone(), text.clone())),
        _ => Err(value.refuse(format!("the values of {what} are text: put this one in quotes"))),
    };
    fields.entries.iter().map(text).collect()
}

fn values(node: Option<&Node>, line: usize) -> Result<BTreeMap<String, String>, DocumentError> {
    let entries = node.map(|node| Fields::of(node, "'encryptedData'")).transpose()?.map(|fields| fields.entries);
    let entries = entries.unwrap_or_default();
    if entries.is_empty() {
        return Err(DocumentError::at(line, "the secret has no values: remove the document, or seal some"));
    }
    entries.iter().map(|(key, value)| Ok((key_name(key, value)?, sealed(key, value)?))).collect()
}

/// Functions find a value in a file of the key's name, so it must be one.
fn key_name(key: &str, at: &Node) -> Result<String, DocumentError> {
    if is_file_name(key) {
        return Ok(key.to_owned());
    }
    Err(at.refuse(format!("the key '{}' is no file name: {KEY_RULE}", plain(key))))
}

/// Says what a key may be.
pub(super) const KEY_RULE: &str =
    "it needs 1 to 128 letters, digits, '-', '_' and '.', and may neither be '.' nor begin with '..'";

/// Whether a key may be one: a file of this name is what functions find its value in.
pub fn is_file_name(key: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=MAX_KEY).contains(&key.len()) && key.chars().all(good) && key != "." && !key.starts_with("..")
}

fn sealed(key: &str, node: &Node) -> Result<String, DocumentError> {
    let Content::Text(text) = &node.content else {
        return Err(node.refuse(format!("the value of '{key}' is not sealed: {NOT_SEALED}")));
    };
    let text: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    if text.len() > MAX_SEALED_CHARS {
        return Err(node.refuse(format!("the value of '{key}' is longer than any sealed value: 1 MiB can be sealed")));
    }
    let base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    if text.is_empty() || !text.chars().all(base64) {
        return Err(node.refuse(format!("the value of '{key}' is not sealed: {NOT_SEALED}")));
    }
    Ok(text)
}

const NOT_SEALED: &str = "put it in with `ofc seal`; if it is a real one and was pushed, it has to be changed";

fn name(fields: &Fields<'_>, field: &str, longest: usize, dots: bool) -> Result<String, DocumentError> {
    let missing = || DocumentError::at(fields.line, format!("'metadata.{field}' is missing"));
    name_or_absent(fields, field, longest, dots)?.ok_or_else(missing)
}

fn name_or_absent(
    fields: &Fields<'_>,
    field: &str,
    longest: usize,
    dots: bool,
) -> Result<Option<String>, DocumentError> {
    let Some(node) = fields.get(field) else { return Ok(None) };
    match &node.content {
        Content::Text(text) if is_dns_name(text, longest, dots) => Ok(Some(text.clone())),
        _ => Err(node.refuse(format!(
            "'metadata.{field}' needs 1 to {longest} lower-case letters, digits and '-', a letter or digit at both ends"
        ))),
    }
}

pub(super) fn is_dns_name(text: &str, longest: usize, dots: bool) -> bool {
    let label = |label: &str| {
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        !label.is_empty() && label.chars().all(good) && !label.starts_with('-') && !label.ends_with('-')
    };
    text.len() <= longest && if dots { text.split('.').all(label) } else { label(text) }
}

impl Node {
    fn refuse(&self, message: impl Into<String>) -> DocumentError {
        DocumentError::at(self.line, message)
    }

    fn entries(&self) -> &[(String, Self)] {
        match &self.content {
            Content::Map(entries) => entries,
            _ => &[],
        }
    }
}

/// A mapping's entries; what is empty counts as absent.
struct Fields<'a> {
    line: usize,
    entries: &'a [(String, Node)],
}

impl<'a> Fields<'a> {
    fn of(node: &'a Node, what: &str) -> Result<Self, DocumentError> {
        match node.content {
            Content::Map(_) => Ok(Self { line: node.line, entries: node.entries() }),
            _ => Err(node.refuse(format!("{what} has to be a mapping ('key: value')"))),
        }
    }

    fn get(&self, name: &str) -> Option<&'a Node> {
        let found = self.entries.iter().find(|(key, _)| key == name).map(|(_, node)| node);
        found.filter(|node| node.content != Content::Nothing)
    }

    fn need(&self, name: &str) -> Result<&'a Node, DocumentError> {
        self.get(name)
            .ok_or_else(|| DocumentError::at(self.line, format!("'{name}' is missing: is this a sealed secret?")))
    }

    /// Refuses a field that is there and is not as it may be.
    fn allow(
        &self,
        name: &str,
        good: impl Fn(&Content) -> bool,
        message: impl Fn() -> String,
    ) -> Result<(), DocumentError> {
        match self.get(name) {
            Some(node) if !good(&node.content) => Err(node.refuse(message())),
            _ => Ok(()),
        }
    }

    /// Refuses what nobody would look at: a misspelt name must not pass for an absent one.
    fn only(&self, known: &[&str], what: &str) -> Result<(), DocumentError> {
        match self.entries.iter().find(|(key, _)| !known.contains(&key.as_str())) {
            Some((key, node)) => Err(node.refuse(format!("'{}' is no part of {what}", plain(key)))),
            None => Ok(()),
        }
    }
}
