//! Which owners a provider's groups stand for.

use std::collections::HashMap;

use sdk::id::Owner;
use sdk::identity::{Organisation, Role};
use sdk::{Invalid, Reader};
use serde_json::{Map, Value};

use crate::provider::{ProviderError, add};

/// The mapping from groups to roles at owners.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Groups {
    claim: String,
    owners: HashMap<String, Vec<Organisation>>,
}

impl Groups {
    /// `oidc_groups_claim`, and `oidc_groups`: `<login>/<number>=<group>:<role>` each, separated by commas.
    pub(super) fn read(reader: &Reader<'_>) -> Result<Self, Invalid> {
        let claim = reader.or("oidc_groups_claim", "groups".to_owned());
        let mut owners: HashMap<String, Vec<Organisation>> = HashMap::new();
        let mut wrong = None;
        for text in reader.list("oidc_groups") {
            match entry(&text) {
                Ok((group, organisation)) => owners.entry(group).or_default().push(organisation),
                Err(reason) => wrong = Some(reader.invalid("oidc_groups", format!("'{text}' {reason}"))),
            }
        }
        wrong.map_or(Ok(()), Err)?;
        Ok(Self { claim: claim?, owners })
    }

    /// The claim to look at, if there is anything to find in it.
    pub(super) fn claim(&self) -> Option<&str> {
        (!self.owners.is_empty()).then_some(&self.claim)
    }

    /// What somebody with these claims belongs to.
    pub(super) fn organisations(&self, claims: &Map<String, Value>) -> Result<Vec<Organisation>, ProviderError> {
        let mut organisations = Vec::new();
        let Some(value) = self.claim().and_then(|claim| claims.get(claim)) else { return Ok(organisations) };
        let malformed = || ProviderError::MissingClaim { claim: self.claim.clone() };
        let groups: Vec<&str> = match value {
            Value::String(group) => vec![group],
            Value::Array(groups) => groups.iter().map(Value::as_str).collect::<Option<_>>().ok_or_else(malformed)?,
            _ => return Err(malformed()),
        };
        for found in groups.into_iter().filter_map(|group| self.owners.get(group)).flatten() {
            add(&mut organisations, found.id, found.login.clone(), found.role);
        }
        Ok(organisations)
    }
}

fn entry(text: &str) -> Result<(String, Organisation), String> {
    const FORM: &str = "is not of the form <login>/<number>=<group>:<role>, such as acme/9919=developers:member";
    let (owner, rest) = text.split_once('=').ok_or(FORM)?;
    let (group, role) = rest.rsplit_once(':').ok_or(FORM)?;
    let (login, number) = owner.split_once('/').ok_or(
        "has no number after the login: OpenID providers do not count organisations, so write the number that the \
         git host gave it, as in acme/9919=developers:member",
    )?;
    let login: Owner =
        login.trim().parse().map_err(|error: sdk::id::InvalidId| format!("has a login that is not usable: {error}"))?;
    let id = number.trim().parse::<u64>().ok().filter(|id| *id > 0).ok_or(FORM)?;
    let role = match role.trim() {
        "owner" => Role::Owner,
        "member" => Role::Member,
        "viewer" => Role::Viewer,
        _ => return Err("has a role that is none of owner, member and viewer".into()),
    };
    let group = group.trim();
    if group.is_empty() {
        return Err(FORM.into());
    }
    Ok((group.to_owned(), Organisation { id, login, role }))
}

#[cfg(test)]
mod tests {
    use sdk::Env;
    use serde_json::json;

    use super::*;

    fn read(value: &str) -> Result<Groups, String> {
        let env = Env::from_map([("oidc_groups", value)], [] as [(&str, &str); 0]);
        let reader = env.reader();
        let groups = Groups::read(&reader);
        reader.finish().map_err(|error| error.to_string())?;
        Ok(groups.unwrap())
    }

    fn of(groups: &Groups, claims: Value) -> Result<Vec<(String, u64, Role)>, ProviderError> {
        let found = groups.organisations(claims.as_object().unwrap())?;
        Ok(found.into_iter().map(|found| (found.login.to_string(), found.id, found.role)).collect())
    }

    #[test]
    fn groups_give_roles_and_the_highest_counts() {
        let groups = read("acme/7=/staff:member, acme/7=role:admin:owner, beta/8=/staff:viewer").unwrap();
        let both = of(&groups, json!({"groups": ["/staff", "role:admin", "other"]})).unwrap();
        assert_eq!(both, [("acme".into(), 7, Role::Owner), ("beta".into(), 8, Role::Viewer)]);
        let one = of(&groups, json!({"groups": "role:admin"})).unwrap();
        assert_eq!(one, [("acme".into(), 7, Role::Owner)]);
        assert_eq!(of(&groups, json!({})).unwrap(), []);
        assert_eq!(of(&groups, json!({"groups": ["staff", "/STAFF"]})).unwrap(), [], "as they are written");
    }

    #[test]
    fn groups_that_are_no_texts_are_an_error() {
        let groups = read("acme/7=staff:member").unwrap();
        for claims in [json!({"groups": {"staff": true}}), json!({"groups": [7]}), json!({"groups": null})] {
            assert!(of(&groups, claims.clone()).is_err(), "{claims}");
        }
        assert_eq!(of(&read("").unwrap(), json!({"groups": 7})).unwrap(), [], "nobody asked for it");
    }

    #[test]
    fn every_entry_that_is_wrong_is_told() {
        for wrong in ["acme/7", "acme/7=staff", "acme/7=:member", "acme/x=a:member", "acme/0=a:member"] {
            assert!(read(wrong).unwrap_err().contains("not of the form"), "{wrong}");
        }
        assert!(read("acme=staff:member").unwrap_err().contains("has no number"));
        assert!(read("a_b/7=staff:member").unwrap_err().contains("a login that is not usable"));
        assert!(read("acme/7=staff:admin").unwrap_err().contains("none of owner"));
        let two = read("x,y").unwrap_err();
        assert!(two.contains("'x'") && two.contains("'y'"), "{two}");
    }
}
