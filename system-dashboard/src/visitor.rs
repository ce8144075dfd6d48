//! Who looks, and at whose things. Roles go by numbers; a login in an address only says which number is meant.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;
use sdk::call::CallId;
use sdk::id::{Owner, OwnerId};
use sdk::identity::{EXPIRES_HEADER, Identity, Role};

use crate::app::App;
use crate::refusal::Refusal;

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    pub(crate) who: Identity,
    /// When that has to be proven anew.
    pub(crate) expires: Duration,
    pub(crate) call: CallId,
}

/// An owner whom the visitor belongs to, named by the address.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) visitor: Visitor,
    pub(crate) owner: Owner,
    pub(crate) id: OwnerId,
    pub(crate) role: Role,
}

impl Visitor {
    /// All owners that the visitor belongs to, the own one first.
    pub(crate) fn places(&self) -> Vec<Place> {
        let own = (self.who.login.clone(), self.who.id);
        let others = self.who.organisations.iter().map(|found| (found.login.clone(), found.id));
        let place = |(owner, id)| {
            let id = OwnerId { host: self.who.host.clone(), id };
            let role = self.who.role_at(&id)?;
            Some(Place { visitor: self.clone(), owner, id, role })
        };
        [own].into_iter().chain(others).filter_map(place).collect()
    }

    fn place(&self, login: &str) -> Option<Place> {
        let login: Owner = login.parse().ok()?;
        self.places().into_iter().find(|place| place.owner == login)
    }

    /// How long it is still to be believed who looks.
    pub(crate) fn remaining(&self) -> Duration {
        self.expires.saturating_sub(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}

impl Place {
    /// Whether the visitor may change things here.
    pub(crate) fn may_act(&self) -> bool {
        self.role >= Role::Member
    }

    /// Refuses who may only look, as if there was nothing.
    pub(crate) fn acting(self) -> Result<Self, Refusal> {
        if self.may_act() { Ok(self) } else { Err(Refusal::NotFound) }
    }
}

impl FromRequestParts<App> for Visitor {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let who = app.identity.read(&parts.headers).ok().flatten().ok_or(Refusal::SignIn)?;
        let expires = parts.headers.get(EXPIRES_HEADER).and_then(|value| value.to_str().ok()?.parse().ok());
        let expires = Duration::from_secs(expires.ok_or(Refusal::SignIn)?);
        Ok(Self { who, expires, call: CallId::from_headers(&parts.headers) })
    }
}

impl FromRequestParts<App> for Place {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let visitor = Visitor::from_request_parts(parts, app).await?;
        let params = RawPathParams::from_request_parts(parts, app).await.map_err(|_| Refusal::NotFound)?;
        let login = params.iter().find(|(name, _)| *name == "owner").map(|(_, login)| login);
        login.and_then(|login| visitor.place(login)).ok_or(Refusal::NotFound)
    }
}
