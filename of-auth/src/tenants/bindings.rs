//! Which account a tenant's login means, once one has come with it.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sdk::id::Owner;
use serde::{Deserialize, Serialize};

use super::disk;

/// An account at a host. It stays when its login changes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Account {
    pub(super) host: String,
    pub(super) id: u64,
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.id)
    }
}

/// How a login and an account stand to each other.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// No account has come with the login yet.
    Free,
    /// It is this account's.
    Bound,
    /// It is another account's.
    Taken(Account),
}

/// The register, in a file. A login stays bound when its account changes its name, so nobody inherits it.
#[derive(Debug)]
pub(super) struct Bindings {
    file: PathBuf,
    known: Mutex<Register>,
    writing: tokio::sync::Mutex<()>,
}

type Register = BTreeMap<Owner, Account>;

/// The register cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum BindingsError {
    /// It cannot be read.
    #[error("{path} cannot be read")]
    Unreadable {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    /// It is no register. Beginning with an empty one would let anybody in under a bound login.
    #[error("{path} is damaged; put a good copy in its place")]
    Damaged {
        path: PathBuf,
        #[source]
        cause: serde_json::Error,
    },
}

impl Bindings {
    pub(super) fn open(file: PathBuf) -> Result<Self, BindingsError> {
        let known = Mutex::new(load(&file)?);
        Ok(Self { file, known, writing: tokio::sync::Mutex::default() })
    }

    pub(super) fn standing(&self, login: &Owner, account: &Account) -> Standing {
        match self.known().get(login) {
            None => Standing::Free,
            Some(holder) if holder == account => Standing::Bound,
            Some(holder) => Standing::Taken(holder.clone()),
        }
    }

    /// A login that the account is bound to.
    pub(super) fn login_of(&self, account: &Account) -> Option<Owner> {
        self.known().iter().find(|(_, holder)| *holder == account).map(|(login, _)| login.clone())
    }

    /// Binds logins that are free. All of them are on disk when this returns.
    pub(super) async fn bind(&self, tenants: Vec<(Owner, Account)>) -> Result<(), super::NotAdmitted> {
        let is_new = |(login, account): &(Owner, Account)| self.standing(login, account) != Standing::Bound;
        if !tenants.iter().any(is_new) {
            return Ok(());
        }
        let _turn = self.writing.lock().await;
        let mut next = self.known().clone();
        for (login, account) in tenants {
            let holder = next.entry(login.clone()).or_insert_with(|| account.clone());
            // Two accounts came at the same time.
            if *holder != account {
                return Err(super::NotAdmitted::taken(&login, &account, holder));
            }
        }
        let content = serde_json::to_vec_pretty(&next).map_err(io::Error::other)?;
        disk::write(self.file.clone(), content).await?;
        *self.known() = next;
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, Register> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn load(path: &Path) -> Result<Register, BindingsError> {
    match std::fs::read(path) {
        Ok(bytes) => {
            serde_json::from_slice(&bytes).map_err(|cause| BindingsError::Damaged { path: path.to_owned(), cause })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Register::new()),
        Err(cause) => Err(BindingsError::Unreadable { path: path.to_owned(), cause }),
    }
}
