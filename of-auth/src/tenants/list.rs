//! The tenant list, wherever it is kept.

use std::path::PathBuf;

use sdk::customers::{Admission, Customers};
use sdk::id::{Owner, OwnerId};
use sdk::{Invalid, Reader};
use url::Url;

use super::bindings::Account;
use super::fetched::Fetched;
use crate::provider::is_private;

/// The logins of tenants.
#[derive(Debug)]
pub(super) enum List {
    /// In a file, which is read again when it changes.
    File(Customers),
    /// At an address, which is asked again every few minutes.
    Address(Box<Fetched>),
}

impl List {
    /// `customers_path`, or `customers_url` with its last good copy at `copy`.
    pub(super) async fn read(reader: &Reader<'_>, copy: PathBuf) -> Result<Self, Invalid> {
        let path: Option<PathBuf> = reader.optional("customers_path")?;
        let url: Option<Url> = reader.optional("customers_url")?;
        match (path, url) {
            (Some(_), _) => {
                let customers = Customers::read(reader)?;
                if customers.is_empty() {
                    return Err(reader.invalid("customers_path", "names a list with no login in it"));
                }
                Ok(Self::File(customers))
            }
            (None, Some(url)) if !is_private(&url) => Err(reader.invalid(
                "customers_url",
                format!("'{url}' must begin with https://: who can change the list on its way decides who may come in"),
            )),
            (None, Some(url)) => {
                let fetched = Fetched::start(url, copy).await;
                let fetched = fetched.map_err(|error| reader.invalid("customers_url", sdk::failure::chain(&error)))?;
                Ok(Self::Address(Box::new(fetched)))
            }
            (None, None) => Err(reader.invalid("customers_path", "is not set, and customers_url neither")),
        }
    }

    /// Looks whether there is a newer one, if it is time.
    pub(super) async fn refresh(&self) {
        if let Self::Address(fetched) = self {
            fetched.refresh(tokio::time::Instant::now()).await;
        }
    }

    /// Whether the account that has the login today is a tenant.
    pub(super) fn admits(&self, login: &Owner, account: &Account) -> bool {
        let account = OwnerId { host: account.host.clone(), id: account.id };
        let admission = match self {
            Self::File(customers) => customers.admits(login, &account),
            Self::Address(fetched) => fetched.admits(login, &account),
        };
        admission == Admission::Admitted
    }
}
