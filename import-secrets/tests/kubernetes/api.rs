//! The HTTP face of the cluster in memory: the routes that a namespace's objects have, with the answers that Kubernetes
//! documents. Everything else is 404, and every other namespace is forbidden.

use axum::Router;
use axum::body::Body;
use axum::extract::State as AxumState;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, AUTHORIZATION};
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use crate::cluster::{Cluster, State};

const SEALED: &str = "/apis/bitnami.com/v1alpha1/namespaces/openfaas-fn/sealedsecrets";
const SECRETS: &str = "/api/v1/namespaces/openfaas-fn/secrets";

/// A refusal: `Status` with a reason, and a message that repeats what was sent, as real ones do.
type Refusal = (StatusCode, &'static str);
type Answer = Result<Value, Refusal>;

const NOT_FOUND: Refusal = (StatusCode::NOT_FOUND, "NotFound");
const EXISTS: Refusal = (StatusCode::CONFLICT, "AlreadyExists");
const CONFLICT: Refusal = (StatusCode::CONFLICT, "Conflict");
const INVALID: Refusal = (StatusCode::UNPROCESSABLE_ENTITY, "Invalid");
const BAD: Refusal = (StatusCode::BAD_REQUEST, "BadRequest");

pub(crate) fn routes(cluster: Cluster) -> Router {
    Router::new().fallback(serve).with_state(cluster)
}

async fn serve(AxumState(cluster): AxumState<Cluster>, request: Request<Body>) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 22).await.unwrap();
    let only_metadata =
        head.headers.get(ACCEPT).is_some_and(|accept| accept.to_str().unwrap().contains("as=PartialObject"));
    let token = head.headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
    let answer = {
        let mut state = cluster.state();
        state.log.push(format!("{} {}", head.method, head.uri.path()));
        answer(&mut state, &head.method, &head.uri, token.as_deref(), &body, only_metadata)
    };
    cluster.tell();
    match answer {
        Ok(object) => axum::Json(object).into_response(),
        Err((status, reason)) => {
            let message = format!("refused: {}", String::from_utf8_lossy(&body));
            let answer = json!({ "apiVersion": "v1", "kind": "Status", "status": "Failure", "code": status.as_u16(),
                "reason": reason, "message": message, "metadata": {} });
            (status, axum::Json(answer)).into_response()
        }
    }
}

fn answer(
    state: &mut State,
    method: &Method,
    uri: &http::Uri,
    token: Option<&str>,
    body: &[u8],
    metadata: bool,
) -> Answer {
    if let Some(wanted) = &state.token
        && token != Some(&format!("Bearer {wanted}"))
    {
        return Err((StatusCode::UNAUTHORIZED, "Unauthorized"));
    }
    if let Some(status) = state.fault(method) {
        return Err((status, "Fault"));
    }
    let path = uri.path();
    if let Some(name) = path.strip_prefix(SECRETS) {
        return match (method, name.strip_prefix('/')) {
            (&Method::GET, Some(name)) if state.garbles && !metadata => {
                Ok(json!({ "kind": "Secret", "data": { "k": state.secrets.get(name).map(Value::to_string) } }))
            }
            (&Method::GET, Some(name)) => state.secrets.get(name).map(|secret| seen(secret, metadata)).ok_or(NOT_FOUND),
            (&Method::GET, None) => Ok(list(state, uri.query().unwrap_or_default(), metadata)),
            // What the account of import-secrets may not do.
            _ => Err((StatusCode::FORBIDDEN, "Forbidden")),
        };
    }
    let Some(name) = path.strip_prefix(SEALED) else { return Err((StatusCode::FORBIDDEN, "Forbidden")) };
    match (method, name.strip_prefix('/')) {
        (&Method::GET, Some(name)) => {
            let object = state.sealed.get(name).cloned().ok_or(NOT_FOUND)?;
            if state.interferes > 0 {
                state.interferes -= 1;
                let version = state.next();
                state.sealed.get_mut(name).unwrap()["metadata"]["resourceVersion"] = version.into();
            }
            Ok(object)
        }
        (&Method::POST, None) => create(state, parse(body)?),
        (&Method::PUT, Some(name)) => replace(state, name, parse(body)?),
        (&Method::DELETE, Some(name)) => delete(state, name, &serde_json::from_slice(body).unwrap_or_default()),
        _ => Err((StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed")),
    }
}

/// Pages of at most two, whatever is asked for.
fn list(state: &State, query: &str, metadata: bool) -> Value {
    let from = query.split('&').find_map(|part| part.strip_prefix("continue=")).unwrap_or_default();
    let mut rest = state.secrets.iter().filter(|(name, _)| name.as_str() > from);
    let page: Vec<_> = rest.by_ref().take(2).collect();
    let more = rest.next().and(page.last()).map(|(name, _)| (*name).clone()).unwrap_or_default();
    let items: Vec<Value> = page.iter().map(|(_, secret)| seen(secret, metadata)).collect();
    json!({ "apiVersion": "v1", "kind": "List", "metadata": { "continue": more, "resourceVersion": "1" }, "items": items })
}

fn seen(secret: &Value, metadata: bool) -> Value {
    if metadata {
        let meta = &secret["metadata"];
        return json!({ "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": meta });
    }
    secret.clone()
}

fn create(state: &mut State, object: Value) -> Answer {
    let name = admit(&object)?;
    if state.sealed.contains_key(&name) {
        return Err(EXISTS);
    }
    let object = state.new_object(object);
    state.sealed.insert(name, object.clone());
    Ok(object)
}

fn replace(state: &mut State, name: &str, mut object: Value) -> Answer {
    if admit(&object)? != name {
        return Err(BAD);
    }
    let current = state.sealed.get(name).cloned().ok_or(NOT_FOUND)?;
    for field in ["resourceVersion", "uid"] {
        let given = &object["metadata"][field];
        if !given.is_null() && *given != current["metadata"][field] {
            return Err(CONFLICT);
        }
    }
    let mut generation = current["metadata"]["generation"].as_i64().unwrap();
    generation += i64::from(object["spec"] != current["spec"]);
    for field in ["uid", "resourceVersion", "creationTimestamp"] {
        object["metadata"][field] = current["metadata"][field].clone();
    }
    object["metadata"]["generation"] = generation.into();
    // The status is a resource of its own.
    object["status"] = current["status"].clone();
    if object != current {
        object["metadata"]["resourceVersion"] = state.next().into();
        state.sealed.insert(name.to_owned(), object.clone());
    }
    Ok(object)
}

fn delete(state: &mut State, name: &str, options: &Value) -> Answer {
    let current = state.sealed.get(name).ok_or(NOT_FOUND)?;
    for field in ["resourceVersion", "uid"] {
        let wanted = &options["preconditions"][field];
        if !wanted.is_null() && *wanted != current["metadata"][field] {
            return Err(CONFLICT);
        }
    }
    state.sealed.remove(name);
    Ok(json!({ "apiVersion": "v1", "kind": "Status", "status": "Success", "metadata": {} }))
}

fn parse(body: &[u8]) -> Answer {
    serde_json::from_slice(body).map_err(|_| BAD)
}

/// What the published definition of the resource asks for, and Kubernetes of every object. The name.
fn admit(object: &Value) -> Result<String, Refusal> {
    if object["apiVersion"] != "bitnami.com/v1alpha1" || object["kind"] != "SealedSecret" {
        return Err(BAD);
    }
    let (meta, spec) = (&object["metadata"], &object["spec"]);
    let name = meta["name"].as_str().filter(|name| is_subdomain(name)).ok_or(INVALID)?;
    let template = &spec["template"];
    let known = |value: &Value, fields: &[&str]| {
        value.as_object().is_some_and(|all| all.keys().all(|key| fields.contains(&key.as_str())))
    };
    let texts = |value: &Value| value.as_object().is_some_and(|all| all.values().all(Value::is_string));
    let sound = meta["namespace"] == "openfaas-fn"
        && known(spec, &["encryptedData", "template"])
        && texts(&spec["encryptedData"])
        && known(template, &["type", "metadata"])
        && known(&template["metadata"], &["labels", "annotations"])
        && template["type"].is_string()
        && [&meta["labels"], &template["metadata"]["labels"]].iter().all(|labels| are_labels(labels))
        && [&meta["annotations"], &template["metadata"]["annotations"]].iter().all(|all| all.is_null() || texts(all));
    if sound { Ok(name.to_owned()) } else { Err(INVALID) }
}

fn is_subdomain(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.');
    let ends = |text: &str| text.starts_with(['-', '.']) || text.ends_with(['-', '.']);
    (1..=253).contains(&name.len()) && name.bytes().all(plain) && !ends(name)
}

/// Each value has at most 63 letters, digits, `-`, `_` and `.`, the outer ones letters or digits.
fn are_labels(labels: &Value) -> bool {
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    let ends = |text: &str| text.starts_with(['-', '_', '.']) || text.ends_with(['-', '_', '.']);
    labels.as_object().is_some_and(|all| {
        let mut values = all.values().map(|value| value.as_str().unwrap_or("?"));
        values.all(|value| value.len() <= 63 && plain(value) && !ends(value))
    })
}
