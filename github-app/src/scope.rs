//! What an installation's token is good for.

use serde::Serialize;
use serde::Serializer;
use serde::ser::SerializeMap;

/// What may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Permission {
    /// Make and change check runs.
    Checks,
    /// Read files and commits, and clone.
    Contents,
    /// Make deployments and say how they go.
    Deployments,
    /// Read what anybody with access sees of a repository.
    Metadata,
    /// Make commit statuses.
    Statuses,
}

impl Permission {
    fn in_githubs_words(self) -> (&'static str, &'static str) {
        match self {
            Self::Checks => ("checks", "write"),
            Self::Contents => ("contents", "read"),
            Self::Deployments => ("deployments", "write"),
            Self::Metadata => ("metadata", "read"),
            Self::Statuses => ("statuses", "write"),
        }
    }
}

/// Permissions in one repository. It is the body of `POST /app/installations/{id}/access_tokens`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Scope {
    #[serde(serialize_with = "permission_map")]
    permissions: Vec<Permission>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    repository_ids: Vec<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    repositories: Vec<String>,
}

impl Scope {
    /// Permissions in one repository: by its number, or by its name without the owner's where the number is 0
    /// because it is not known.
    pub fn new(permissions: impl IntoIterator<Item = Permission>, repo_id: u64, repo: &str) -> Self {
        let mut permissions: Vec<_> = permissions.into_iter().collect();
        permissions.sort_unstable();
        permissions.dedup();
        let (repository_ids, repositories) =
            if repo_id == 0 { (Vec::new(), vec![repo.to_owned()]) } else { (vec![repo_id], Vec::new()) };
        Self { permissions, repository_ids, repositories }
    }
}

fn permission_map<S: Serializer>(permissions: &[Permission], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(permissions.len()))?;
    for permission in permissions {
        let (name, access) = permission.in_githubs_words();
        map.serialize_entry(name, access)?;
    }
    map.end()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_scope_is_one_repository_and_what_is_asked_for() {
        let scope = Scope::new([Permission::Statuses, Permission::Checks, Permission::Checks], 7, "hello");
        let body = json!({"permissions": {"checks": "write", "statuses": "write"}, "repository_ids": [7]});
        assert_eq!(serde_json::to_value(&scope).unwrap(), body);
        let unnumbered = Scope::new([Permission::Contents], 0, "hello");
        let body = json!({"permissions": {"contents": "read"}, "repositories": ["hello"]});
        assert_eq!(serde_json::to_value(&unnumbered).unwrap(), body);
        assert_eq!(scope, Scope::new([Permission::Checks, Permission::Statuses], 7, "renamed"));
    }
}
