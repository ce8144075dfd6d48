//! What can go wrong with a provider.

use http::StatusCode;
use sdk::id::InvalidId;

use super::oidc::IdTokenError;

/// Why nobody could be signed in. The text is for the log and holds nothing secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProviderError {
    /// No answer.
    #[error("the provider cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    /// No answer in time.
    #[error("the provider took too long")]
    TooSlow,
    /// An answer that is an error.
    #[error("the provider answered {status} to {path}")]
    Status {
        /// What was asked for.
        path: String,
        /// The answer.
        status: StatusCode,
    },
    /// An answer of more than 1 MiB.
    #[error("the provider's answer to {path} is too large")]
    TooLarge {
        /// What was asked for.
        path: String,
    },
    /// An answer that means nothing to us.
    #[error("the provider's answer to {path} is not understood: {why}")]
    Nonsense {
        /// What was asked for.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// The provider's no to the code.
    #[error("the provider refused the login: {code}")]
    Refused {
        /// OAuth's word for the reason.
        code: String,
    },
    /// A link to the next page that leads elsewhere; our token goes nowhere else.
    #[error("the provider's next page is at another address than its first one")]
    ForeignPage,
    /// More pages than anybody has organisations.
    #[error("the provider has more than {0} pages of organisations")]
    TooManyPages(usize),
    /// The login was begun with another provider.
    #[error("the login was begun with another provider")]
    OtherProvider,
    /// The account's name cannot be an owner's.
    #[error("the account cannot be used here")]
    UnusableLogin {
        /// Why.
        #[source]
        cause: InvalidId,
    },
    /// An ID token that proves nothing.
    #[error("the login is not proven")]
    IdToken(#[from] IdTokenError),
    /// A claim that is not there, or not of its form.
    #[error("the provider says nothing usable under the claim '{claim}'")]
    MissingClaim {
        /// Its name.
        claim: String,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    NoRandom,
}

impl ProviderError {
    /// What to tell the person.
    pub(crate) fn public(&self) -> String {
        match self {
            Self::Refused { .. } | Self::OtherProvider => {
                "The identity provider did not accept this login. Please sign in again.".into()
            }
            Self::UnusableLogin { cause } => format!("This account cannot be used here: {cause}."),
            Self::Unreachable(_) | Self::TooSlow => {
                "The identity provider does not answer at the moment. Please try again soon.".into()
            }
            Self::NoRandom => "Signing in is not possible at the moment.".into(),
            _ => "The identity provider's answer was not understood. Whoever runs this installation finds the \
                  reason in the log of of-auth."
                .into(),
        }
    }

    /// The status that goes with it.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Refused { .. } | Self::OtherProvider => StatusCode::BAD_REQUEST,
            Self::UnusableLogin { .. } => StatusCode::FORBIDDEN,
            Self::NoRandom => StatusCode::INTERNAL_SERVER_ERROR,
            Self::TooSlow => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::BAD_GATEWAY,
        }
    }
}
