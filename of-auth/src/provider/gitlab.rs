//! GitLab, in the cloud or one's own.

use sdk::id::Owner;
use sdk::identity::Role;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::caller::Caller;
use super::endpoints::Endpoints;
use super::oauth::{Application, Proof};
use super::{Pending, Person, ProviderError, add, login, number, pages};

/// Where GitLab itself is.
pub(super) const CLOUD: &str = "https://gitlab.com";
/// Groups cannot be listed with less.
const SCOPES: &str = "read_api";
const USER: &str = "/api/v4/user";
const GROUPS: &str = "/api/v4/groups";
const NAMESPACES: &str = "/api/v4/namespaces";
/// GitLab lists groups by the least access that one has, and does not say which; so each level is asked for.
const LEVELS: [(u8, Role); 3] = [(40, Role::Owner), (30, Role::Member), (10, Role::Viewer)];

#[derive(Debug)]
pub(super) struct GitLab {
    endpoints: Endpoints,
    application: Application,
    caller: Caller,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

/// The place of a person's projects. Its number, and not the person's own, is the owner's: GitLab numbers people apart
/// from groups, so that a person may have a group's number, but namespaces of both together.
#[derive(Deserialize)]
struct Namespace {
    id: u64,
    kind: String,
    full_path: String,
}

#[derive(Deserialize)]
struct Group {
    id: u64,
    full_path: String,
}

impl GitLab {
    pub(super) fn new(endpoints: Endpoints, application: Application) -> Self {
        Self { endpoints, application, caller: Caller::new() }
    }

    pub(super) fn host(&self) -> &str {
        self.endpoints.host()
    }

    pub(super) fn authorisation(&self, pending: &Pending, redirect_uri: &Url) -> Url {
        self.application.authorisation(self.endpoints.public("/oauth/authorize"), SCOPES, pending, redirect_uri)
    }

    pub(super) async fn finish(
        &self,
        pending: &Pending,
        code: &str,
        redirect_uri: &Url,
    ) -> Result<Person, ProviderError> {
        let exchange = self.endpoints.internal("/oauth/token");
        let login_data = (pending, code, redirect_uri);
        let token = self.application.exchange(&self.caller, exchange, Proof::Form, login_data).await?.access;
        let (user, _) = self.caller.get::<User>(self.endpoints.internal(USER), Some(&token)).await?;
        let login = login(&user.username)?;
        let id = self.namespace(&login, &token).await?;
        let mut organisations = Vec::new();
        for (level, role) in LEVELS {
            for group in self.groups(level, &token).await? {
                let id = number(group.id, GROUPS)?;
                // Subgroups have a slash in their path, and their members no right in the group above.
                if let Ok(login) = group.full_path.parse() {
                    add(&mut organisations, id, login, role);
                }
            }
        }
        Ok(Person { host: self.host().to_owned(), id, login, organisations })
    }

    /// The number of a person's namespace.
    async fn namespace(&self, login: &Owner, token: &SecretString) -> Result<u64, ProviderError> {
        let path = format!("{NAMESPACES}/{login}");
        let (namespace, _) = self.caller.get::<Namespace>(self.endpoints.internal(&path), Some(token)).await?;
        if namespace.kind != "user" || !namespace.full_path.eq_ignore_ascii_case(login.as_str()) {
            return Err(ProviderError::Nonsense { path, why: "it is not the person's namespace".into() });
        }
        number(namespace.id, &path)
    }

    async fn groups(&self, level: u8, token: &SecretString) -> Result<Vec<Group>, ProviderError> {
        let mut first = self.endpoints.internal(GROUPS);
        first.set_query(Some(&format!("min_access_level={level}&top_level_only=true&per_page=100")));
        pages::all(&self.caller, first, &self.endpoints.public(GROUPS), token).await
    }
}
