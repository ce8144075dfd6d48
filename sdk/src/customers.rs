//! The tenant list: who may deploy here.
//!
//! One login per line; blank lines and lines that begin with `#` are passed over. Behind a login may stand the account
//! that it means, as `<host>/<number>`: then no other account is that tenant, whoever has the login today. The list is
//! read again when it changes. A list that cannot be read stops the service at start, and later leaves the last good
//! one in force.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use crate::id::{InvalidId, Owner, OwnerId};
use crate::{Invalid, Reader};

/// A larger list is taken for a mistake, in bytes.
pub const MAX_LIST_BYTES: u64 = 16 * 1024 * 1024;

/// A line that is no tenant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {cause}")]
pub struct MalformedLine {
    /// The line, from 1.
    pub line: usize,
    /// Why it is none.
    pub cause: MalformedTenant,
}

/// Why a line is no tenant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MalformedTenant {
    /// It does not begin with a login.
    #[error(transparent)]
    Login(#[from] InvalidId),
    /// What stands behind the login is no account.
    #[error("behind the login may stand its account, as <host>/<number>, such as github.com/583231")]
    Account,
    /// The login is there twice, and not with the same account.
    #[error("the login is on the list already, with another account")]
    Twice,
}

/// How a list and an account stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is a tenant's.
    Admitted,
    /// Its login is not on the list.
    Unknown,
    /// Its login is on the list, and means another account.
    OtherAccount,
}

/// The tenants of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tenants(HashMap<Owner, Option<OwnerId>>);

impl Tenants {
    /// True if the login is on the list, whichever account it means.
    pub fn contains(&self, login: &Owner) -> bool {
        self.0.contains_key(login)
    }

    /// Whether the account that has the login today is the tenant.
    pub fn admits(&self, login: &Owner, account: &OwnerId) -> Admission {
        match self.0.get(login) {
            None => Admission::Unknown,
            Some(Some(tenant)) if tenant != account => Admission::OtherAccount,
            Some(_) => Admission::Admitted,
        }
    }

    /// True if it has no login in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The tenants of a list.
///
/// # Errors
/// When a line is no tenant, for whatever the text is, it is not a tenant list then.
pub fn parse(text: &str) -> Result<Tenants, MalformedLine> {
    let mut tenants = HashMap::new();
    let lines = text.lines().map(str::trim).enumerate();
    for (index, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        let malformed = |cause| MalformedLine { line: index + 1, cause };
        let (login, account) = tenant(line).map_err(malformed)?;
        // A login that is there twice, once with an account, means that account alone.
        let known = tenants.entry(login).or_insert_with(|| account.clone());
        match (&known, account) {
            (None, account) => *known = account,
            (Some(known), Some(account)) if *known != account => return Err(malformed(MalformedTenant::Twice)),
            _ => {}
        }
    }
    Ok(Tenants(tenants))
}

fn tenant(line: &str) -> Result<(Owner, Option<OwnerId>), MalformedTenant> {
    let Some((login, account)) = line.split_once(char::is_whitespace) else { return Ok((line.parse()?, None)) };
    let login = login.parse()?;
    let (host, id) = account.trim().split_once('/').ok_or(MalformedTenant::Account)?;
    let id = id.parse().ok().filter(|id| *id > 0).ok_or(MalformedTenant::Account)?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':');
    if host.is_empty() || !host.bytes().all(plain) {
        return Err(MalformedTenant::Account);
    }
    Ok((login, Some(OwnerId { host: host.to_ascii_lowercase(), id })))
}

/// Why there is no tenant list.
#[derive(Debug, thiserror::Error)]
pub enum CustomersError {
    /// The file cannot be read.
    #[error("the tenant list {path} cannot be read")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// A line is no tenant.
    #[error("line {line} of the tenant list {path} is not usable: {cause}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Why.
        cause: MalformedTenant,
    },
}

/// The tenants, from the file that `customers_path` names.
#[derive(Debug)]
pub struct Customers {
    path: PathBuf,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    modified: Option<SystemTime>,
    length: u64,
    tenants: Tenants,
}

impl Customers {
    /// Reads `customers_path` and the file that it names.
    ///
    /// # Errors
    /// When the variable is missing or the file is not usable; the reader knows which.
    pub fn read(reader: &Reader<'_>) -> Result<Self, Invalid> {
        let path: PathBuf = reader.required("customers_path")?;
        Self::open(path).map_err(|error| reader.invalid("customers_path", crate::failure::chain(&error)))
    }

    /// Reads the list at `path`.
    ///
    /// # Errors
    /// When the file cannot be read or a line of it is no login.
    pub fn open(path: PathBuf) -> Result<Self, CustomersError> {
        let known = Mutex::new(load(&path)?);
        Ok(Self { path, known })
    }

    /// True if the login is on the list, whichever account it means.
    pub fn contains(&self, owner: &Owner) -> bool {
        self.with_tenants(|tenants| tenants.contains(owner))
    }

    /// Whether the account that has the login today may deploy here.
    pub fn admits(&self, login: &Owner, account: &OwnerId) -> Admission {
        self.with_tenants(|tenants| tenants.admits(login, account))
    }

    /// True if it has no login in it.
    pub fn is_empty(&self) -> bool {
        self.with_tenants(Tenants::is_empty)
    }

    /// The tenant with a longer login to whom a name belongs that `owner` made as `<login>-<word>`: while `alice-x`
    /// is a tenant, `alice-x-db` is that tenant's `db` and never `alice`'s `x-db`. For names whose owner is written
    /// nowhere else, such as secrets'.
    pub fn other_claimant(&self, owner: &Owner, name: &str) -> Option<Owner> {
        let longer =
            name.match_indices('-').map(|(end, _)| &name[..end]).filter(|head| head.len() > owner.as_str().len());
        let logins = longer.filter_map(|head| head.parse::<Owner>().ok());
        self.with_tenants(|tenants| logins.into_iter().find(|login| tenants.contains(login)))
    }

    /// Gives the list as it is now.
    fn with_tenants<T>(&self, ask: impl FnOnce(&Tenants) -> T) -> T {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.has_changed(&self.path) {
            match load(&self.path) {
                Ok(fresh) => *known = fresh,
                Err(error) => {
                    let error = crate::failure::chain(&error);
                    tracing::error!(
                        error,
                        "The tenant list changed and is not usable; the last good one stays in force"
                    );
                }
            }
        }
        ask(&known.tenants)
    }
}

impl Known {
    fn has_changed(&self, path: &std::path::Path) -> bool {
        std::fs::metadata(path).map_or(true, |now| now.modified().ok() != self.modified || now.len() != self.length)
    }
}

fn load(path: &std::path::Path) -> Result<Known, CustomersError> {
    let unreadable = |cause| CustomersError::Unreadable { path: path.to_owned(), cause };
    let about = std::fs::metadata(path).map_err(unreadable)?;
    if about.len() > MAX_LIST_BYTES {
        return Err(unreadable(std::io::Error::other(format!("it has over {MAX_LIST_BYTES} bytes"))));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let malformed = |MalformedLine { line, cause }| CustomersError::Malformed { path: path.to_owned(), line, cause };
    Ok(Known { modified: about.modified().ok(), length: about.len(), tenants: parse(&text).map_err(malformed)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(login: &str) -> Owner {
        login.parse().unwrap()
    }

    #[test]
    fn logins_are_found_in_any_case_and_a_change_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("customers");
        std::fs::write(&path, "# tenants\r\nAlice\n\n bob \n").unwrap();
        let customers = Customers::open(path.clone()).unwrap();
        assert!(customers.contains(&owner("alice")) && customers.contains(&owner("BOB")));
        assert!(!customers.contains(&owner("mallory")));
        std::fs::write(&path, "alice\nbob\nmallory\n").unwrap();
        assert!(customers.contains(&owner("mallory")));
    }

    #[test]
    fn a_login_with_an_account_is_that_account_alone() {
        let tenants = parse("alice github.com/7\nbob\nAlice\ncarol  GitHub.com/9 \n").unwrap();
        let account = |id| OwnerId { host: "github.com".to_owned(), id };
        assert_eq!(tenants.admits(&owner("alice"), &account(7)), Admission::Admitted);
        assert_eq!(tenants.admits(&owner("alice"), &account(8)), Admission::OtherAccount);
        let elsewhere = OwnerId { host: "gitlab.com".to_owned(), id: 7 };
        assert_eq!(tenants.admits(&owner("alice"), &elsewhere), Admission::OtherAccount);
        assert_eq!(tenants.admits(&owner("bob"), &account(8)), Admission::Admitted);
        assert_eq!(tenants.admits(&owner("carol"), &account(9)), Admission::Admitted);
        assert_eq!(tenants.admits(&owner("mallory"), &account(7)), Admission::Unknown);
        assert!(tenants.contains(&owner("alice")));
        for bad in ["alice 7", "alice github.com/0", "alice github.com/x", "alice /7", "alice a/b/7", "a b c"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert_eq!(parse("a github.com/1\na github.com/2\n").unwrap_err().cause, MalformedTenant::Twice);
    }

    #[test]
    fn a_name_that_two_tenants_could_mean_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("customers");
        std::fs::write(&path, "alice\nalice-x\n").unwrap();
        let customers = Customers::open(path).unwrap();
        assert_eq!(customers.other_claimant(&owner("alice"), "alice-x-db"), Some(owner("alice-x")));
        assert_eq!(customers.other_claimant(&owner("alice-x"), "alice-x-db"), None);
        assert_eq!(customers.other_claimant(&owner("alice"), "alice-y-db"), None);
        assert_eq!(customers.other_claimant(&owner("alice"), "alice-db"), None);
    }

    #[test]
    fn a_broken_list_stops_the_start_and_later_leaves_the_last_good_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("customers");
        assert!(matches!(Customers::open(path.clone()), Err(CustomersError::Unreadable { .. })));
        std::fs::write(&path, "<html>\n").unwrap();
        assert!(matches!(Customers::open(path.clone()), Err(CustomersError::Malformed { line: 1, .. })));
        std::fs::write(&path, "alice\n").unwrap();
        let customers = Customers::open(path.clone()).unwrap();
        std::fs::write(&path, "502 Bad Gateway\n").unwrap();
        assert!(customers.contains(&owner("alice")) && !customers.contains(&owner("bad")));
    }
}
