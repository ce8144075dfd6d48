//! Who may come in: the tenant list, the numbers that its logins are bound to, and operators.
//!
//! A tenant is a person or an organisation whose login is on the list. The first account that comes with such a
//! login is the tenant from then on: its host and number are kept, and no other account gets in under that login.
//! A person comes in as a tenant, as a member of an organisation that is one, or as an operator.

mod bindings;
mod disk;
mod error;
mod fetched;
mod list;
mod operators;

use std::path::Path;

use sdk::identity::{Identity, Organisation};
use sdk::{Invalid, Reader};

use crate::provider::Person;
use bindings::{Account, Bindings, Standing};
pub(crate) use error::NotAdmitted;
use list::List;
use operators::Operators;

/// The tenants of this installation.
#[derive(Debug)]
pub(crate) struct Tenants {
    list: List,
    bindings: Bindings,
    operators: Operators,
}

impl Tenants {
    /// Reads `customers_path` or `customers_url`, `operators`, and what is kept in `folder`. `host` is the
    /// provider's.
    ///
    /// # Errors
    /// When the list is unreadable or empty, or something else is wrong; the reader knows what.
    pub(crate) async fn open(reader: &Reader<'_>, folder: &Path, host: &str) -> Result<Self, Invalid> {
        let operators = Operators::read(reader, host);
        let bindings = Bindings::open(folder.join("tenants.json"))
            .map_err(|error| reader.invalid("the register of tenants", sdk::failure::chain(&error)));
        let list = List::read(reader, folder.join("customers")).await;
        Ok(Self { list: list?, bindings: bindings?, operators: operators? })
    }

    /// What a person is here. Only organisations that are tenants stay in the identity. New logins are bound, on
    /// disk, before this returns.
    ///
    /// Cheap enough for every renewal of a session: who is no longer listed is then no longer admitted.
    ///
    /// # Errors
    /// When there is no reason to let the person in.
    pub(crate) async fn admit(&self, person: Person) -> Result<Identity, NotAdmitted> {
        self.list.refresh().await;
        let host = person.host.as_str();
        let own = Account { host: host.to_owned(), id: person.id };
        let listed = match self.bindings.standing(&person.login, &own) {
            // Also when that login is listed no more: who is told "alice calls" must not be deceived.
            Standing::Taken(holder) => return Err(NotAdmitted::taken(&person.login, &own, &holder)),
            Standing::Free | Standing::Bound => self.list.admits(&person.login, &own),
        };
        let operator = self.operators.contains(&own);
        let organisations: Vec<Organisation> =
            person.organisations.into_iter().filter(|organisation| self.is_tenant(host, organisation)).collect();
        if !listed && !operator && organisations.is_empty() {
            let former = self.bindings.login_of(&own);
            return Err(NotAdmitted::NotListed { login: person.login, former });
        }
        let mut tenants: Vec<_> = organisations
            .iter()
            .map(|organisation| (organisation.login.clone(), Account { host: host.to_owned(), id: organisation.id }))
            .collect();
        if listed {
            tenants.push((person.login.clone(), own));
        }
        self.bindings.bind(tenants).await?;
        Ok(Identity { host: person.host, id: person.id, login: person.login, organisations, operator })
    }

    /// True if the organisation is listed and is the one that its login is bound to.
    fn is_tenant(&self, host: &str, organisation: &Organisation) -> bool {
        let account = Account { host: host.to_owned(), id: organisation.id };
        if !self.list.admits(&organisation.login, &account) {
            return false;
        }
        match self.bindings.standing(&organisation.login, &account) {
            Standing::Free | Standing::Bound => true,
            Standing::Taken(holder) => {
                NotAdmitted::taken(&organisation.login, &account, &holder);
                false
            }
        }
    }
}

#[cfg(test)]
mod tests;
