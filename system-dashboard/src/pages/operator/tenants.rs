//! Who has functions here, and how many.

use std::collections::BTreeMap;

use sdk::gateway::FunctionStatus;
use sdk::labels;

/// More tenants are counted alone.
const LISTED: usize = 100;

/// Owners of functions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tenants {
    /// How many there are.
    pub(super) count: usize,
    /// Those with most functions, by login.
    pub(super) listed: Vec<Tenant>,
    /// How many more there are, and their functions.
    pub(super) others: Option<(usize, usize)>,
}

/// One of them: a number at a host, whatever logins its functions were deployed under.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tenant {
    /// Of the function that was deployed last.
    pub(super) login: String,
    pub(super) host: String,
    pub(super) id: String,
    pub(super) functions: usize,
    deployed: u64,
}

impl Tenants {
    /// The owners that functions' labels name.
    pub(super) fn of(functions: &[FunctionStatus]) -> Self {
        let mut by_owner: BTreeMap<(&str, &str), Tenant> = BTreeMap::new();
        for function in functions {
            let label = |name: &str| function.labels.get(name).map(String::as_str).filter(|value| !value.is_empty());
            let Some(owner) = label(labels::GIT_SCM).zip(label(labels::GIT_OWNER_ID)) else { continue };
            let tenant = by_owner.entry(owner).or_default();
            let deployed = label(labels::GIT_DEPLOY_TIME).and_then(|time| time.parse().ok()).unwrap_or_default();
            if tenant.functions == 0 || deployed > tenant.deployed {
                tenant.login = label(labels::GIT_OWNER).unwrap_or_default().to_owned();
                tenant.deployed = deployed;
            }
            tenant.functions += 1;
        }
        let named = |((host, id), tenant): ((&str, &str), Tenant)| Tenant {
            host: host.to_owned(),
            id: id.to_owned(),
            ..tenant
        };
        let mut listed: Vec<_> = by_owner.into_iter().map(named).collect();
        listed.sort_by(|a, b| b.functions.cmp(&a.functions).then_with(|| a.login.cmp(&b.login)));
        let count = listed.len();
        let more = listed.split_off(count.min(LISTED));
        let functions = more.iter().map(|tenant| tenant.functions).sum();
        Self { count, listed, others: (!more.is_empty()).then_some((more.len(), functions)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(host: &str, id: &str, login: &str, deployed: &str) -> FunctionStatus {
        let labels = [
            (labels::GIT_SCM, host),
            (labels::GIT_OWNER_ID, id),
            (labels::GIT_OWNER, login),
            (labels::GIT_DEPLOY_TIME, deployed),
        ];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        FunctionStatus { labels, ..FunctionStatus::default() }
    }

    #[test]
    fn a_tenant_is_a_number_at_a_host_under_its_newest_login() {
        let functions = [
            function("git.localhost", "7", "alice", "200"),
            function("git.localhost", "7", "alice-before", "100"),
            function("github.com", "7", "other", "x"),
            function("", "7", "nobody", "1"),
            FunctionStatus::default(),
        ];
        let tenants = Tenants::of(&functions);
        let shown: Vec<_> = tenants.listed.iter().map(|t| (t.login.as_str(), t.host.as_str(), t.functions)).collect();
        assert_eq!(shown, [("alice", "git.localhost", 2), ("other", "github.com", 1)]);
        assert_eq!((tenants.count, tenants.others), (2, None));
        assert_eq!(Tenants::of(&[]), Tenants::default());
    }

    #[test]
    fn of_very_many_the_small_ones_are_counted() {
        let one = |n: usize| function("git.localhost", &n.to_string(), &format!("owner-{n:04}"), "1");
        let mut functions: Vec<_> = (1..=150).map(one).collect();
        functions.extend([one(149), one(149), one(150)]);
        let tenants = Tenants::of(&functions);
        assert_eq!((tenants.count, tenants.listed.len(), tenants.others), (150, LISTED, Some((50, 50))));
        assert_eq!((tenants.listed[0].login.as_str(), tenants.listed[1].functions), ("owner-0149", 2));
    }
}
