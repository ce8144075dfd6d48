//! Why somebody is not let in.

use sdk::id::Owner;

use super::bindings::Account;

/// Why a person is not let in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAdmitted {
    /// Nothing speaks for it.
    #[error("neither '{login}' nor one of its organisations is a tenant")]
    NotListed {
        /// The person's login.
        login: Owner,
        /// A login of the tenant that the person was, if it was one.
        former: Option<Owner>,
    },
    /// The login is bound to another account. Somebody wants to be taken for a tenant, or an account was made anew.
    #[error("the login '{login}' is bound to {bound}, and {claimed} came with it")]
    Taken {
        /// The login.
        login: Owner,
        /// `<host>/<number>` of who it is bound to.
        bound: String,
        /// `<host>/<number>` of who came.
        claimed: String,
    },
    /// The register of tenants cannot be written.
    #[error("the register of tenants cannot be written")]
    Unwritable(#[from] std::io::Error),
}

impl NotAdmitted {
    /// Tells the log at once, because it is also told where somebody is let in for another reason.
    pub(super) fn taken(login: &Owner, claimed: &Account, holder: &Account) -> Self {
        let (bound, claimed) = (holder.to_string(), claimed.to_string());
        tracing::error!(
            %login, bound, claimed,
            "An account came with a login that is bound to another one; it is not taken for the tenant"
        );
        Self::Taken { login: login.clone(), bound, claimed }
    }

    /// What to tell the person.
    pub(crate) fn public(&self) -> String {
        match self {
            Self::NotListed { login, former: None } => format!(
                "{login} is not a tenant here, nor a member of an organisation that is one. Ask whoever runs this \
                 installation to add {login} to the tenant list."
            ),
            Self::NotListed { login, former: Some(former) } => format!(
                "The account that was known here as {former} is now {login}, which is not on the tenant list. Ask \
                 whoever runs this installation to add {login}."
            ),
            Self::Taken { login, .. } => format!(
                "The name {login} belongs to another account here. If yours took its place, ask whoever runs this \
                 installation to release the name."
            ),
            Self::Unwritable(_) => "Signing in is not possible at the moment. Please try again soon.".into(),
        }
    }
}
