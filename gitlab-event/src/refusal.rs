//! Why a webhook, or what it said, is not acted on.

use gitlab_api::GitlabError;
use http::StatusCode;
use sdk::call::CallError;
use sdk::id::{InvalidId, Owner};
use sdk::webhook::{Malformed, Refused, Unread};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the webhook has no token: set the webhook's secret token, so that it has X-Gitlab-Token")]
    NoToken,
    #[error("the webhook's token is wrong: it must be this platform's gitlab-webhook-secret")]
    WrongToken,
    #[error(transparent)]
    Unread(#[from] Unread),
    #[error("the webhook has no X-Gitlab-Event")]
    NoEvent,
    #[error("the webhook is not understood: {0}")]
    Malformed(#[from] Malformed),
    #[error("the webhook could not be queued: send it again in a minute")]
    Queue(#[source] CallError),

    #[error("GitLab could not be asked about the project")]
    Unconfirmed(#[source] GitlabError),
    #[error("GitLab does not tell enough about the project yet: {0}")]
    Incomplete(&'static str),
    #[error("'{path}' cannot deploy here, since its name is part of a host's: {cause}")]
    NoLogin { path: String, cause: InvalidId },
    #[error("'{0}' is a name of the platform and cannot deploy here")]
    Reserved(Owner),
    #[error("'{0}' is not on the tenant list: ask the operator of this platform")]
    UnknownTenant(Owner),
    #[error("'{0}' is on the tenant list with the number of another namespace: ask the operator of this platform")]
    OtherAccount(Owner),
    #[error("'{path}' would be '{login}' here, which is another tenant's login")]
    TakenLogin { path: String, login: Owner },
}

impl Refused for Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::NoToken | Self::WrongToken => StatusCode::UNAUTHORIZED,
            Self::Unread(unread) => unread.status(),
            Self::NoEvent | Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Queue(_) | Self::Unconfirmed(_) => StatusCode::BAD_GATEWAY,
            Self::Incomplete(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::NoLogin { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Reserved(_) | Self::UnknownTenant(_) | Self::OtherAccount(_) => StatusCode::FORBIDDEN,
            Self::TakenLogin { .. } => StatusCode::CONFLICT,
        }
    }

    fn owner(&self) -> Option<&Owner> {
        match self {
            Self::Reserved(owner) | Self::UnknownTenant(owner) | Self::OtherAccount(owner) => Some(owner),
            Self::TakenLogin { login, .. } => Some(login),
            _ => None,
        }
    }
}

impl Refusal {
    /// How long GitLab wants to be left alone, for who comes again.
    pub(crate) fn wait_seconds(&self) -> Option<u64> {
        match self {
            Self::Unconfirmed(error) => error.wait().map(|wait| wait.as_secs() + 1),
            _ => None,
        }
    }
}
