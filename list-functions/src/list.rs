//! All functions of an owner.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{FromRef, State};
use sdk::failure::Failure;
use sdk::gateway::{FunctionStatus, Gateway};
use sdk::labels;
use sdk::listing::{ListRequest, Whose};
use sdk::signing::{Key, Signed};

use crate::config::Config;

/// What a handler needs; the key differs between the two routes, so that a message for one is worthless at the other.
#[derive(Clone)]
pub(crate) struct App {
    key: Key,
    gateway: Gateway,
}

impl FromRef<App> for Key {
    fn from_ref(app: &App) -> Self {
        app.key.clone()
    }
}

impl App {
    pub(crate) fn new(config: &Config, purpose: &str) -> Self {
        Self { key: config.functions.key(purpose), gateway: config.gateway.clone() }
    }
}

pub(crate) async fn receive(
    State(app): State<App>,
    Signed { message: request, .. }: Signed<ListRequest>,
) -> Result<Json<Vec<FunctionStatus>>, Failure> {
    owned(&app, &request).await.map(Json)
}

/// The owner's functions, sorted by name.
pub(crate) async fn owned(app: &App, request: &ListRequest) -> Result<Vec<FunctionStatus>, Failure> {
    let all = app
        .gateway
        .list()
        .await
        .map_err(|error| Failure::upstream("the gateway does not say which functions there are").because(error))?;
    let mut owned: Vec<_> = all.into_iter().filter(|function| belongs(function, request)).map(shown).collect();
    owned.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(owned)
}

/// What labels do not prove to be the owner's is not.
fn belongs(function: &FunctionStatus, request: &ListRequest) -> bool {
    let says = |label: &str, value: &str| function.labels.get(label).is_some_and(|found| found == value);
    let owner = match &request.of {
        Whose::OwnerId(0) => false,
        Whose::OwnerId(id) => says(labels::GIT_OWNER_ID, &id.to_string()),
        Whose::Owner(login) => says(labels::GIT_OWNER, login.as_str()),
    };
    owner && says(labels::GIT_CLOUD, "1") && says(labels::GIT_SCM, &labels::value(&request.host))
}

/// Without what only the function itself needs to know.
fn shown(function: FunctionStatus) -> FunctionStatus {
    FunctionStatus { env_vars: BTreeMap::new(), secrets: Vec::new(), ..function }
}
