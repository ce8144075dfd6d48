//! The Sealed Secrets controller of the cluster in memory: it really opens, with the keys of the stage, and says what the real
//! one says.

use axum::Router;
use axum::extract::State as AxumState;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use sealed_secrets::documents::{self, Limits};
use sealed_secrets::seal;
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};

use crate::cluster::{Cluster, State};

/// What makes a `Secret` the controller's, whoever made it.
const MANAGED: &str = "/metadata/annotations/sealedsecrets.bitnami.com~1managed";

/// Its HTTP face.
pub(crate) fn routes(cluster: Cluster) -> Router {
    Router::new()
        .route("/v1/verify", post(verify))
        .route("/v1/rotate", post(rotate))
        .route("/v1/cert.pem", get(certificate))
        .with_state(cluster)
}

async fn verify(AxumState(cluster): AxumState<Cluster>, body: String) -> Response {
    let mut state = cluster.state();
    state.log.push("VERIFY".to_owned());
    if state.questions == 0 {
        // A token a pause.
        state.questions = 1;
        return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "0")], "limit exceeded\n").into_response();
    }
    state.questions -= 1;
    match serde_json::from_str(&body).ok().filter(is_sealed_secret) {
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Some(object) if state.opens(&object).is_ok() => StatusCode::OK.into_response(),
        Some(_) => StatusCode::CONFLICT.into_response(),
    }
}

async fn rotate(AxumState(cluster): AxumState<Cluster>, body: String) -> Response {
    let state = cluster.state();
    let mut object: Value = serde_json::from_str(&body).unwrap();
    let document = documents::parse(&body, &Limits::default()).unwrap().remove(0);
    let Ok(values) = state.opens(&object) else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    for (key, value) in values {
        let value = STANDARD.decode(value.as_str().unwrap()).unwrap();
        let again = seal(state.ring.newest(), &document.namespace, &document.name, &value).unwrap();
        object["spec"]["encryptedData"][&key] = again.into();
    }
    ([("content-type", "application/json")], object.to_string()).into_response()
}

async fn certificate(AxumState(cluster): AxumState<Cluster>) -> Response {
    ([("content-type", "application/x-pem-file")], cluster.state().ring.newest().to_pem()).into_response()
}

fn is_sealed_secret(object: &Value) -> bool {
    object["apiVersion"] == "bitnami.com/v1alpha1" && object["kind"] == "SealedSecret"
}

impl State {
    /// The values, in base64; or the key that does not open.
    fn opens(&self, object: &Value) -> Result<Map<String, Value>, String> {
        let meta = |field: &str| object["metadata"][field].as_str().unwrap();
        let mut values = Map::new();
        for (key, sealed) in object["spec"]["encryptedData"].as_object().unwrap() {
            let opened = self.ring.open(meta("namespace"), meta("name"), sealed.as_str().unwrap());
            let opened = opened.map_err(|_| format!("no key could decrypt secret ({key})"))?;
            values.insert(key.clone(), STANDARD.encode(opened.value.expose_secret()).into());
        }
        Ok(values)
    }

    /// Looks at an object whose spec has changed, or whose `Secret` is gone.
    pub(crate) fn reconcile(&mut self, name: &str) {
        let object = self.sealed[name].clone();
        let generation = &object["metadata"]["generation"];
        let seen = &object["status"]["observedGeneration"] == generation;
        // It is told when a Secret goes that it has made.
        let was_made = object["status"]["conditions"][0]["status"] == "True";
        let lost = self.watches_secrets && was_made && !self.secrets.contains_key(name);
        if seen && !lost {
            return;
        }
        let outcome = self.unseal(name, &object);
        let (status, message) = match outcome {
            Ok(()) => ("True", String::new()),
            Err(why) => ("False", why),
        };
        let condition = json!({ "type": "Synced", "status": status, "message": message });
        let version = self.next();
        let object = self.sealed.get_mut(name).unwrap();
        object["status"] = json!({ "observedGeneration": generation, "conditions": [condition] });
        object["metadata"]["resourceVersion"] = version.into();
    }

    fn unseal(&mut self, name: &str, object: &Value) -> Result<(), String> {
        let values = self.opens(object)?;
        if let Some(why) = self.invalid {
            return Err(format!("Secret {name:?} is invalid: {why}"));
        }
        let uid = &object["metadata"]["uid"];
        let mut secret = match self.secrets.get(name) {
            None => self.new_object(json!({ "apiVersion": "v1", "kind": "Secret" })),
            Some(there) if there["metadata"]["ownerReferences"][0]["uid"] == *uid => there.clone(),
            Some(there) if there.pointer(MANAGED) == Some(&json!("true")) => there.clone(),
            Some(_) => {
                return Err(format!(
                    "failed update: Resource {name:?} already exists and is not managed by SealedSecret"
                ));
            }
        };
        let template = &object["spec"]["template"];
        secret["metadata"]["name"] = name.into();
        secret["metadata"]["namespace"] = object["metadata"]["namespace"].clone();
        secret["metadata"]["labels"] = template["metadata"]["labels"].clone();
        secret["metadata"]["annotations"] = template["metadata"]["annotations"].clone();
        secret["metadata"]["ownerReferences"] = json!([{
            "apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "name": name, "uid": uid, "controller": true,
        }]);
        secret["type"] = template["type"].clone();
        secret["data"] = values.into();
        self.secrets.insert(name.to_owned(), secret);
        Ok(())
    }
}
