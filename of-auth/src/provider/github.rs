//! GitHub, GitHub Enterprise Server and of-git.

use sdk::identity::Role;
use sdk::{Invalid, Reader};
use serde::Deserialize;
use url::Url;

use super::caller::Caller;
use super::endpoints::{Endpoints, below};
use super::oauth::{Application, Proof};
use super::{Pending, Person, ProviderError, add, login, number, pages};

/// Where GitHub itself is.
pub(super) const CLOUD: &str = "https://github.com";
const CLOUD_API: &str = "https://api.github.com";
const SCOPES: &str = "read:user read:org";
const MEMBERSHIPS: &str = "/user/memberships/orgs";

#[derive(Debug)]
pub(super) struct GitHub {
    endpoints: Endpoints,
    /// Where the interface is, for us and as GitHub writes it into its links.
    api: (Url, Url),
    application: Application,
    caller: Caller,
}

#[derive(Deserialize)]
struct User {
    id: u64,
    login: String,
}

#[derive(Deserialize)]
struct Membership {
    state: String,
    role: String,
    organization: User,
}

impl GitHub {
    pub(super) fn read(reader: &Reader<'_>, endpoints: Endpoints, application: Application) -> Result<Self, Invalid> {
        let cloud = endpoints.are_one() && endpoints.public("/").as_str() == format!("{CLOUD}/");
        let api = if cloud {
            let api = Url::parse(CLOUD_API).map_err(|error| reader.invalid("oauth_provider", error.to_string()))?;
            (api.clone(), api)
        } else {
            (endpoints.internal("/api/v3"), endpoints.public("/api/v3"))
        };
        Ok(Self { endpoints, api, application, caller: Caller::new() })
    }

    #[cfg(test)]
    pub(super) fn set_caller(&mut self, caller: Caller) {
        self.caller = caller;
    }

    pub(super) fn host(&self) -> &str {
        self.endpoints.host()
    }

    pub(super) fn authorisation(&self, pending: &Pending, redirect_uri: &Url) -> Url {
        self.application.authorisation(self.endpoints.public("/login/oauth/authorize"), SCOPES, pending, redirect_uri)
    }

    pub(super) async fn finish(
        &self,
        pending: &Pending,
        code: &str,
        redirect_uri: &Url,
    ) -> Result<Person, ProviderError> {
        let exchange = self.endpoints.internal("/login/oauth/access_token");
        let login_data = (pending, code, redirect_uri);
        let token = self.application.exchange(&self.caller, exchange, Proof::Form, login_data).await?.access;
        let (user, _) = self.caller.get::<User>(below(&self.api.0, "/user"), Some(&token)).await?;
        let mut first = below(&self.api.0, MEMBERSHIPS);
        first.set_query(Some("state=active&per_page=100"));
        let public = below(&self.api.1, MEMBERSHIPS);
        let memberships = pages::all::<Membership>(&self.caller, first, &public, &token).await?;
        let mut organisations = Vec::new();
        for membership in memberships.into_iter().filter(|membership| membership.state == "active") {
            let organisation = membership.organization;
            let id = number(organisation.id, MEMBERSHIPS)?;
            // One whose name is no owner's name here cannot be a tenant.
            if let Ok(login) = organisation.login.parse() {
                add(&mut organisations, id, login, role(&membership.role));
            }
        }
        let id = number(user.id, "/user")?;
        Ok(Person { host: self.host().to_owned(), id, login: login(&user.login)?, organisations })
    }
}

/// Billing managers see; what is not known here sees no more than that.
fn role(word: &str) -> Role {
    match word {
        "admin" => Role::Owner,
        "member" => Role::Member,
        _ => Role::Viewer,
    }
}
