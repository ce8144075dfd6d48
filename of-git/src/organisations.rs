//! Who belongs to which organisation: a file of lines `<organisation> <login> <role>`, read at every question.
//!
//! The file is `organisations` in the data directory. `ofc org` changes it; an editor may too.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sdk::id::Owner;

use crate::atomic_file::{self, blocking};

/// What somebody is in an organisation, by GitHub's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Owns it.
    Admin,
    /// Belongs to it.
    Member,
    /// Sees it.
    BillingManager,
}

/// Text that names no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("has to be admin, member or billing_manager")]
pub struct UnknownRole;

/// The members of all organisations, by organisation and login.
pub type Memberships = BTreeMap<(Owner, Owner), Role>;

/// The file.
#[derive(Debug, Clone)]
pub struct Organisations {
    file: PathBuf,
}

impl Organisations {
    /// The file of a git host's data directory, which need not exist.
    pub fn at(data: &Path) -> Self {
        Self { file: data.join("organisations") }
    }

    /// All of them.
    ///
    /// # Errors
    /// When the file cannot be read or a line of it is not understood: a guess could let somebody in.
    pub fn read(&self) -> io::Result<Memberships> {
        let text = match std::fs::read_to_string(&self.file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => read?,
        };
        let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
        let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        lines.map(|(number, line)| parse(line).ok_or_else(|| self.malformed(number))).collect()
    }

    /// Makes `login` a member with this role, or none. True if that changes anything.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn set(&self, organisation: &Owner, login: &Owner, role: Option<Role>) -> io::Result<bool> {
        let mut all = self.read()?;
        let key = (organisation.clone(), login.clone());
        let before = match role {
            Some(role) => all.insert(key, role),
            None => all.remove(&key),
        };
        if before == role {
            return Ok(false);
        }
        let lines = all.iter().map(|((organisation, login), role)| format!("{organisation} {login} {role}\n"));
        atomic_file::write(&self.file, lines.collect::<String>().as_bytes()).map(|()| true)
    }

    /// Those of one person.
    pub(crate) async fn of(&self, login: &Owner) -> io::Result<Vec<(Owner, Role)>> {
        let (this, login) = (self.clone(), login.clone());
        let all = blocking(move || this.read()).await?;
        let own = all.into_iter().filter(|((organisation, member), _)| *member == login && *organisation != login);
        Ok(own.map(|((organisation, _), role)| (organisation, role)).collect())
    }

    fn malformed(&self, line: usize) -> io::Error {
        let sentence = format!(
            "line {line} of {} is not '<organisation> <login> admin|member|billing_manager'",
            self.file.display()
        );
        io::Error::new(io::ErrorKind::InvalidData, sentence)
    }
}

fn parse(line: &str) -> Option<((Owner, Owner), Role)> {
    let mut words = line.split_whitespace();
    let entry = ((word(&mut words)?, word(&mut words)?), words.next()?.parse().ok()?);
    let reserved = crate::owners::is_reserved(&entry.0.0);
    (words.next().is_none() && !reserved).then_some(entry)
}

fn word<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Owner> {
    words.next()?.parse().ok()
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        match text {
            "admin" => Ok(Self::Admin),
            "member" => Ok(Self::Member),
            "billing_manager" => Ok(Self::BillingManager),
            _ => Err(UnknownRole),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Admin => "admin",
            Self::Member => "member",
            Self::BillingManager => "billing_manager",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(text: &str) -> Owner {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn members_come_and_go() {
        let folder = tempfile::tempdir().unwrap();
        let organisations = Organisations::at(folder.path());
        assert!(organisations.read().unwrap().is_empty());
        assert!(organisations.set(&owner("acme"), &owner("alice"), Some(Role::Admin)).unwrap());
        assert!(organisations.set(&owner("acme"), &owner("bob"), Some(Role::Member)).unwrap());
        assert!(organisations.set(&owner("beta"), &owner("alice"), Some(Role::BillingManager)).unwrap());
        assert!(!organisations.set(&owner("acme"), &owner("bob"), Some(Role::Member)).unwrap());
        let alice = organisations.of(&owner("alice")).await.unwrap();
        assert_eq!(alice, [(owner("acme"), Role::Admin), (owner("beta"), Role::BillingManager)]);
        assert!(organisations.set(&owner("acme"), &owner("alice"), None).unwrap());
        assert!(!organisations.set(&owner("acme"), &owner("alice"), None).unwrap());
        assert_eq!(organisations.of(&owner("alice")).await.unwrap().len(), 1);
    }

    #[test]
    fn a_line_that_is_not_understood_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let organisations = Organisations::at(folder.path());
        for line in ["acme alice", "acme alice owner", "acme alice admin bob", "system alice admin", "../x alice admin"]
        {
            std::fs::write(folder.path().join("organisations"), format!("# who\n\n{line}\n")).unwrap();
            let error = organisations.read().unwrap_err().to_string();
            assert!(error.starts_with("line 3 of "), "{line}: {error}");
        }
    }
}
