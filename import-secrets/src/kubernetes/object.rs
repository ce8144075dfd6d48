//! The object that the controller opens: what is written of it, and whose it is.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use kube::core::{ApiResource, GroupVersionKind, Object, ObjectMeta, TypeMeta};
use sdk::id::OwnerId;
use sdk::labels;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::backend::{Candidate, Change};

/// The label, with [`MANAGER`], of all that this function makes.
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
const MANAGER: &str = "openfaas-cloud";
/// The annotation with the host of the owner as it is; a label has not room for every host.
const HOST: &str = "com.openfaas.cloud.git-host";
/// The annotation of the template whose change has the controller make a lost `Secret` again.
const RENEWED: &str = "com.openfaas.cloud.renewed";
const KIND: &str = "SealedSecret";

/// A `SealedSecret`. Its spec is kept as it came, so that nothing in it is overlooked that this program does not know.
pub(super) type Sealed = Object<Value, Status>;

/// What the controller says of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    #[serde(default)]
    observed_generation: i64,
    #[serde(default)]
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    #[serde(default)]
    message: String,
}

/// How far the controller is with an object as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It has not looked at it yet, or tries again.
    Waiting,
    /// The `Secret` is as the object says.
    Synced,
    /// No key of the controller's opens it.
    NotOpened,
    /// There is a `Secret` of that name which somebody else made.
    NotManaged,
    /// The cluster takes no such `Secret`, for it is too long.
    Invalid,
}

/// Where the objects are in the API.
pub(super) fn resource() -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("bitnami.com", "v1alpha1", KIND), "sealedsecrets")
}

/// The object of a change. A plain one: no values of the tenant's but those that are sealed, and the strict scope, since
/// there is no annotation that says otherwise.
pub(super) fn desired(change: &Change<'_>, namespace: &str) -> Sealed {
    let labels = owner_labels(change.owner, change.repo_id);
    let spec = json!({
        "encryptedData": change.candidate.sealed,
        "template": { "type": "Opaque", "metadata": { "labels": labels } },
    });
    let metadata = ObjectMeta {
        name: Some(change.candidate.name.clone()),
        namespace: Some(namespace.to_owned()),
        labels: Some(labels),
        annotations: Some(BTreeMap::from([(HOST.to_owned(), change.owner.host.clone())])),
        ..ObjectMeta::default()
    };
    Sealed { types: Some(types()), metadata, spec, status: None }
}

/// A document to ask the controller about. It is never written, so it has nobody's labels.
pub(super) fn document(candidate: &Candidate, namespace: &str) -> Value {
    let metadata = json!({ "name": candidate.name, "namespace": namespace });
    json!({
        "apiVersion": types().api_version,
        "kind": KIND,
        "metadata": metadata,
        "spec": { "encryptedData": candidate.sealed, "template": { "type": "Opaque", "metadata": metadata } },
    })
}

fn types() -> TypeMeta {
    TypeMeta { api_version: "bitnami.com/v1alpha1".to_owned(), kind: KIND.to_owned() }
}

fn owner_labels(owner: &OwnerId, repo_id: u64) -> BTreeMap<String, String> {
    let labels = [
        (MANAGED_BY, MANAGER.to_owned()),
        (labels::GIT_SCM, labels::value(&owner.host).into_owned()),
        (labels::GIT_OWNER_ID, owner.id.to_string()),
        (labels::GIT_REPO_ID, repo_id.to_string()),
    ];
    labels.map(|(label, value)| (label.to_owned(), value)).into()
}

/// Whether this function made it.
pub(super) fn is_ours(object: &Sealed) -> bool {
    says(object, MANAGED_BY, MANAGER)
}

/// Whether this function made it for that owner.
pub(super) fn is_of_owner(object: &Sealed, owner: &OwnerId) -> bool {
    let host = object.metadata.annotations.as_ref().and_then(|annotations| annotations.get(HOST));
    is_ours(object) && says(object, labels::GIT_OWNER_ID, &owner.id.to_string()) && host == Some(&owner.host)
}

/// Whether a change may be written over an object: it is the owner's, and the record says so, too.
pub(super) fn may_write_over(object: &Sealed, change: &Change<'_>) -> bool {
    is_of_owner(object, change.owner) && change.held.contains(&change.candidate.name)
}

fn says(object: &Sealed, label: &str, value: &str) -> bool {
    object.metadata.labels.as_ref().and_then(|labels| labels.get(label)).is_some_and(|found| found == value)
}

/// Takes over what an object in the cluster needs to stay itself. True where nothing else is to change.
pub(super) fn settle(desired: &mut Sealed, current: &Sealed) -> bool {
    let (wanted, found) = (&mut desired.metadata, &current.metadata);
    wanted.uid.clone_from(&found.uid);
    wanted.resource_version.clone_from(&found.resource_version);
    wanted.finalizers.clone_from(&found.finalizers);
    if let Some(renewed) = current.spec.pointer("/template/metadata/annotations").and_then(|all| all.get(RENEWED)) {
        desired.spec["template"]["metadata"]["annotations"] = json!({ RENEWED: renewed });
    }
    desired.spec == current.spec
        && desired.metadata.labels == found.labels
        && desired.metadata.annotations == found.annotations
}

/// Has the controller open the object again, which it does only for one that differs.
pub(super) fn renew(desired: &mut Sealed) {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos().to_string();
    desired.spec["template"]["metadata"]["annotations"] = json!({ RENEWED: now });
}

/// What the controller says of the object's present generation.
pub(super) fn state(object: &Sealed) -> State {
    let Some(status) = &object.status else { return State::Waiting };
    if status.observed_generation < object.metadata.generation.unwrap_or_default() {
        return State::Waiting;
    }
    let condition = status.conditions.iter().find(|condition| condition.kind == "Synced");
    match condition.map(|condition| (condition.status.as_str(), condition.message.as_str())) {
        Some(("True", _)) => State::Synced,
        Some(("False", why)) if why.contains("already exists and is not managed") => State::NotManaged,
        Some(("False", why)) if CANNOT_OPEN.iter().any(|part| why.contains(part)) => State::NotOpened,
        Some(("False", why)) if why.contains("is invalid:") => State::Invalid,
        // Such as two writers of one Secret; the controller tries again by itself.
        _ => State::Waiting,
    }
}

/// Parts of what the controller says when it cannot open a value, and never will.
const CANNOT_OPEN: [&str; 3] = ["no key could decrypt secret", "data is too short", "illegal base64 data"];

/// Whose a `Secret` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    /// The controller made it from just this object.
    This,
    /// It was made from one of the same name that is gone: the cluster removes it by itself.
    Gone,
    /// Somebody made it by hand, or from something else.
    Other,
}

/// Whose a `Secret` is, as seen from the object of its name.
pub(super) fn holder(secret: &ObjectMeta, object: Option<&Sealed>) -> Holder {
    let owners = secret.owner_references.as_deref().unwrap_or_default();
    let Some(owner) = owners.iter().find(|owner| owner.controller == Some(true)) else { return Holder::Other };
    let of_its_name = owner.kind == KIND && Some(&owner.name) == secret.name.as_ref();
    match object.and_then(|object| object.metadata.uid.as_ref()) {
        _ if !of_its_name => Holder::Other,
        Some(uid) if *uid == owner.uid => Holder::This,
        _ => Holder::Gone,
    }
}

/// Whether a `Secret` has just the keys that are sealed.
pub(super) fn has_keys(secret: &Secret, object: &Sealed) -> bool {
    let found = secret.data.as_ref().map(BTreeMap::len).unwrap_or_default();
    let sealed = object.spec.get("encryptedData").and_then(Value::as_object);
    sealed.is_some_and(|sealed| {
        sealed.len() == found
            && sealed.keys().all(|key| secret.data.as_ref().is_some_and(|data| data.contains_key(key)))
    })
}

/// The sealed value of a key.
pub(super) fn sealed_value<'a>(object: &'a Sealed, key: &str) -> Option<&'a str> {
    object.spec.get("encryptedData")?.get(key)?.as_str()
}
