//! Who may call a function.

use std::fmt;
use std::str::FromStr;

use crate::identity::Role;

/// Who may call a function, by its annotation [`crate::labels::ACCESS`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Access {
    /// Everybody: where nothing is said.
    #[default]
    Public,
    /// Signed-in members of its owner.
    Members,
    /// The owner alone; of an organisation, its owners.
    Owner,
}

/// Text that names no access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("has to be public, members or owner")]
pub struct UnknownAccess;

impl Access {
    /// The role that a caller needs; `None` for everybody.
    pub fn role(self) -> Option<Role> {
        match self {
            Self::Public => None,
            Self::Members => Some(Role::Member),
            Self::Owner => Some(Role::Owner),
        }
    }

    /// What an annotation says. What is not understood is closed to all but the owner.
    pub fn of(annotation: Option<&str>) -> Self {
        annotation.map_or(Self::Public, |text| text.parse().unwrap_or(Self::Owner))
    }
}

impl FromStr for Access {
    type Err = UnknownAccess;

    fn from_str(text: &str) -> Result<Self, UnknownAccess> {
        match text {
            "public" => Ok(Self::Public),
            "members" => Ok(Self::Members),
            "owner" => Ok(Self::Owner),
            _ => Err(UnknownAccess),
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "public",
            Self::Members => "members",
            Self::Owner => "owner",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_is_closed() {
        assert_eq!(Access::of(None), Access::Public);
        for access in [Access::Public, Access::Members, Access::Owner] {
            assert_eq!(Access::of(Some(&access.to_string())), access);
        }
        for unclear in ["", "Public", "all", "member", " public"] {
            assert_eq!(Access::of(Some(unclear)), Access::Owner, "{unclear}");
        }
    }
}
