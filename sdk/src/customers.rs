//! The tenant list: who may deploy here.
//!
//! One login per line; blank lines and lines that begin with `#` are passed over. The list is read again when
//! it changes. A list that cannot be read stops the service at start, and later leaves the last good one in force.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use crate::id::Owner;
use crate::{Invalid, Reader};

/// A larger list is taken for a mistake, in bytes.
pub const MAX_LIST_BYTES: u64 = 16 * 1024 * 1024;

/// A line that is no login.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {cause}")]
pub struct MalformedLine {
    /// The line, from 1.
    pub line: usize,
    /// Why it is none.
    pub cause: crate::id::InvalidId,
}

/// The logins of a list.
///
/// # Errors
/// When a line is no login, for whatever the text is, it is not a tenant list then.
pub fn parse(text: &str) -> Result<HashSet<Owner>, MalformedLine> {
    let lines = text.lines().map(str::trim).enumerate();
    let logins = lines.filter(|(_, login)| !login.is_empty() && !login.starts_with('#'));
    logins.map(|(index, login)| login.parse().map_err(|cause| MalformedLine { line: index + 1, cause })).collect()
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
    /// A line is no login.
    #[error("line {line} of the tenant list {path} is not usable: {cause}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Why.
        cause: crate::id::InvalidId,
    },
}

/// The tenants' logins, from the file that `customers_path` names.
#[derive(Debug)]
pub struct Customers {
    path: PathBuf,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    modified: Option<SystemTime>,
    length: u64,
    logins: HashSet<Owner>,
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

    /// True if the owner may deploy here.
    pub fn contains(&self, owner: &Owner) -> bool {
        self.with_logins(|logins| logins.contains(owner))
    }

    /// True if it has no login in it.
    pub fn is_empty(&self) -> bool {
        self.with_logins(HashSet::is_empty)
    }

    /// The tenant with a longer login to whom a name belongs that `owner` made as `<login>-<word>`: while `alice-x`
    /// is a tenant, `alice-x-db` is that tenant's `db` and never `alice`'s `x-db`. For names whose owner is written
    /// nowhere else, such as secrets'.
    pub fn other_claimant(&self, owner: &Owner, name: &str) -> Option<Owner> {
        let longer =
            name.match_indices('-').map(|(end, _)| &name[..end]).filter(|head| head.len() > owner.as_str().len());
        let logins = longer.filter_map(|head| head.parse::<Owner>().ok());
        self.with_logins(|tenants| logins.into_iter().find(|login| tenants.contains(login)))
    }

    /// Gives the list as it is now.
    fn with_logins<T>(&self, ask: impl FnOnce(&HashSet<Owner>) -> T) -> T {
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
        ask(&known.logins)
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
    Ok(Known { modified: about.modified().ok(), length: about.len(), logins: parse(&text).map_err(malformed)? })
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
