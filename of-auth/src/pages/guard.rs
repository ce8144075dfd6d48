//! What has to hold before a page does anything: the right host, a form that came from that very host, somebody who
//! is signed in.

use std::sync::Arc;

use axum::extract::{Form, FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use http::header::{HeaderMap, ORIGIN, USER_AGENT};
use http::request::Parts;
use serde::de::DeserializeOwned;
use session::{Claims, Refused, cookie};

use crate::address::{LocalPath, Site};
use crate::app::App;
use crate::issue::{Living, No};
use crate::pages;
use crate::refusal::Refusal;
use crate::store::Session;

/// The host that was asked for, if sessions are for it.
#[derive(Debug, Clone)]
pub(crate) struct Asked(pub(crate) Site);

impl FromRequestParts<Arc<App>> for Asked {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        app.addresses.asked(&parts.headers).map(Self).ok_or(Refusal::NoSite)
    }
}

/// The request is for `auth.system.<domain>`; at other hosts, these pages do not exist.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AtAuth;

impl FromRequestParts<Arc<App>> for AtAuth {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        (app.addresses.asked(&parts.headers) == Some(Site::Auth)).then_some(Self).ok_or(Refusal::NotFound)
    }
}

/// A form that a page of the same host sent. Functions of owners are at neighbouring hosts, to which browsers send the
/// cookies of `SameSite=Lax` all the same.
#[derive(Debug)]
pub(crate) struct Posted<T> {
    pub(crate) site: Site,
    pub(crate) form: T,
}

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Posted<T> {
    type Rejection = Response;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Response> {
        let site = app.addresses.asked(request.headers()).ok_or_else(|| Refusal::NoSite.into_response())?;
        if !is_from(request.headers(), &app.addresses.origin(&site)) {
            return Err(Refusal::CrossSite.into_response());
        }
        let Form(form) = Form::from_request(request, app).await.map_err(IntoResponse::into_response)?;
        Ok(Self { site, form })
    }
}

/// Whether a browser sent something from a page of `origin`. Browsers say so themselves, and pages cannot.
fn is_from(headers: &HeaderMap, origin: &str) -> bool {
    let one = |name: &str| {
        let mut values = headers.get_all(name).iter();
        let value = values.next().map(|value| value.to_str().unwrap_or_default());
        if values.next().is_some() { Some("") } else { value }
    };
    match (one("sec-fetch-site"), one(ORIGIN.as_str())) {
        (Some(site), None) => site == "same-origin",
        (site, Some(sent)) => sent == origin && site.is_none_or(|site| site == "same-origin"),
        (None, None) => false,
    }
}

/// The browser, as it calls itself, shortened.
pub(crate) fn agent(headers: &HeaderMap) -> String {
    let text = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or("an unnamed browser");
    text.chars().filter(|c| !c.is_control()).take(120).collect()
}

impl App {
    /// Whoever is signed in at a site. Somebody whose session cannot be renewed is not.
    pub(crate) async fn signed_in(&self, headers: &HeaderMap, site: &Site) -> Result<Option<Living>, Refusal> {
        let Some(token) = cookie::get(headers, "session", self.addresses.secure()) else { return Ok(None) };
        match self.living(token, site).await {
            Ok(living) => Ok(Some(living)),
            Err(No::Store(error)) => Err(error.into()),
            Err(No::Key(error)) => Err(Refusal::Keys(error.into())),
            Err(No::Invalid | No::Ended | No::RolesOld | No::NotAdmitted(_)) => Ok(None),
        }
    }

    /// The session that a browser shows at a site, also where it could not be renewed, and what its last token said.
    pub(crate) async fn shown(&self, headers: &HeaderMap, site: &Site) -> Result<Option<(Session, Claims)>, Refusal> {
        let Some(token) = cookie::get(headers, "session", self.addresses.secure()) else { return Ok(None) };
        let (host, now) = (self.addresses.host(site), self.clock.now());
        let claims = match self.keys.current().verifier.verify(token, &host, now) {
            Ok(claims) => claims,
            Err(Refused::Expired(claims)) => *claims,
            Err(Refused::UnknownKey | Refused::Invalid) => return Ok(None),
        };
        let session = self.store.session(&claims.sid, now, self.sessions).await?;
        Ok(session.map(|session| (session, claims)))
    }

    /// Whoever is signed in at of-auth's own host, or the way to sign in and come back.
    pub(crate) async fn signed_in_or_login(&self, headers: &HeaderMap, back: &LocalPath) -> Result<Living, Response> {
        match self.signed_in(headers, &Site::Auth).await {
            Ok(Some(living)) => Ok(living),
            Ok(None) => {
                let to: String = url::form_urlencoded::byte_serialize(back.as_str().as_bytes()).collect();
                Err(pages::redirect(&format!("{}/login?to={to}", self.addresses.issuer()), &[]))
            }
            Err(refusal) => Err(refusal.into_response()),
        }
    }

    /// The cookie that holds somebody's token, if there is a new one.
    pub(crate) fn session_cookie(&self, living: &Living) -> Option<String> {
        let token = living.renewed.as_ref()?;
        let seconds = living.session.ends(self.sessions).saturating_sub(self.clock.now());
        Some(cookie::set("session", token, seconds, self.addresses.secure()))
    }

    /// The cookie that ends a browser's session.
    pub(crate) fn no_session(&self) -> String {
        cookie::set("session", "", 0, self.addresses.secure())
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn forms_come_from_the_very_host() {
        let origin = "https://auth.system.example.com";
        let from = |sent: &[(&'static str, &'static str)]| {
            let mut all = HeaderMap::new();
            for (name, value) in sent {
                all.append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            is_from(&all, origin)
        };
        assert!(from(&[("origin", origin)]));
        assert!(from(&[("sec-fetch-site", "same-origin")]));
        assert!(from(&[("sec-fetch-site", "same-origin"), ("origin", origin)]));
        for hostile in [
            &[][..],
            &[("origin", "null")],
            &[("origin", "https://alice.example.com")],
            &[("origin", "https://auth.system.example.com.evil.org")],
            &[("origin", "http://auth.system.example.com")],
            &[("origin", "https://auth.system.example.com:444")],
            &[("origin", origin), ("origin", origin)],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none")],
            &[("sec-fetch-site", "cross-site"), ("origin", origin)],
            &[("sec-fetch-site", "same-origin"), ("origin", "null")],
            &[("referer", "https://auth.system.example.com/")],
        ] {
            assert!(!from(hostile), "{hostile:?}");
        }
    }
}
