//! Who is let in, and who is not.

mod fetching;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use sdk::Env;
use sdk::id::OwnerId;
use sdk::identity::Role;
use tempfile::TempDir;

use super::*;

const HOST: &str = "github.com";

pub(super) async fn open(variables: &[(&str, &str)], folder: &Path) -> Result<Tenants, String> {
    let env = Env::from_map(variables.iter().copied(), [] as [(&str, &str); 0]);
    let reader = env.reader();
    let tenants = Tenants::open(&reader, folder, HOST).await;
    reader.finish().map_err(|error| error.to_string())?;
    Ok(tenants.unwrap())
}

pub(super) fn person(id: u64, login: &str) -> Person {
    Person { host: HOST.into(), id, login: login.parse().unwrap(), organisations: Vec::new() }
}

fn member(id: u64, login: &str, of: &[(u64, &str, Role)]) -> Person {
    let organisations =
        of.iter().map(|(id, login, role)| Organisation { id: *id, login: login.parse().unwrap(), role: *role });
    Person { organisations: organisations.collect(), ..person(id, login) }
}

/// A list in a file, and a folder of our own.
struct Installation {
    folder: TempDir,
    operators: &'static str,
}

impl Installation {
    fn new(list: &str) -> Self {
        let this = Self { folder: tempfile::tempdir().unwrap(), operators: "" };
        this.list(list);
        this
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("list")
    }

    fn list(&self, list: &str) {
        std::fs::write(self.path(), list).unwrap();
    }

    async fn start(&self) -> Tenants {
        let path = self.path();
        let variables = [("customers_path", path.to_str().unwrap()), ("operators", self.operators)];
        open(&variables, self.folder.path()).await.unwrap()
    }
}

#[tokio::test]
async fn tenants_come_in_and_nobody_else() {
    let installation = Installation::new("alice\nacme\n");
    let tenants = installation.start().await;
    let alice = tenants.admit(person(42, "Alice")).await.unwrap();
    assert_eq!((alice.subject().as_str(), alice.login.as_str(), alice.operator), ("github.com/42", "alice", false));
    let refused = tenants.admit(member(43, "mallory", &[(8, "other", Role::Owner)])).await.unwrap_err();
    assert!(matches!(&refused, NotAdmitted::NotListed { former: None, .. }), "{refused:?}");
    assert!(refused.public().contains("mallory is not a tenant here"), "{}", refused.public());
}

#[tokio::test]
async fn members_come_in_with_the_organisations_that_are_tenants() {
    let installation = Installation::new("acme\n");
    let tenants = installation.start().await;
    let of = [(7, "acme", Role::Member), (8, "other", Role::Owner)];
    let bob = tenants.admit(member(43, "bob", &of)).await.unwrap();
    assert_eq!(bob.organisations.len(), 1);
    assert_eq!(bob.role_at(&OwnerId { host: HOST.into(), id: 7 }), Some(Role::Member));
    assert_eq!(bob.role_at(&OwnerId { host: HOST.into(), id: 8 }), None);
}

#[tokio::test]
async fn a_login_stays_its_first_accounts_also_after_a_restart() {
    let installation = Installation::new("alice\nacme\n");
    let first = installation.start().await;
    first.admit(member(42, "alice", &[(7, "acme", Role::Owner)])).await.unwrap();
    let again = installation.start().await;
    for tenants in [&first, &again] {
        let taken = tenants.admit(person(99, "alice")).await.unwrap_err();
        assert!(
            matches!(&taken, NotAdmitted::Taken { bound, claimed, .. }
                if bound == "github.com/42" && claimed == "github.com/99"),
            "{taken:?}"
        );
        assert!(taken.public().contains("belongs to another account"), "{}", taken.public());
        let other_host = Person { host: "gitlab.com".into(), ..person(42, "alice") };
        assert!(matches!(tenants.admit(other_host).await.unwrap_err(), NotAdmitted::Taken { .. }));
        let fake = member(50, "carol", &[(77, "acme", Role::Owner)]);
        assert!(matches!(tenants.admit(fake).await.unwrap_err(), NotAdmitted::NotListed { .. }));
        tenants.admit(person(42, "alice")).await.unwrap();
    }
}

#[tokio::test]
async fn a_false_organisation_is_left_out_of_who_comes_in_by_right() {
    let installation = Installation::new("alice\nacme\n");
    let tenants = installation.start().await;
    tenants.admit(member(43, "bob", &[(7, "acme", Role::Member)])).await.unwrap();
    let alice = tenants.admit(member(42, "alice", &[(77, "acme", Role::Owner)])).await.unwrap();
    assert!(alice.organisations.is_empty());
}

#[tokio::test]
async fn nobody_inherits_a_login_that_was_given_up() {
    let installation = Installation::new("alice\n");
    let tenants = installation.start().await;
    tenants.admit(person(42, "alice")).await.unwrap();
    // Alice is now called alicia.
    let unknown = tenants.admit(person(42, "alicia")).await.unwrap_err();
    assert!(unknown.public().contains("known here as alice is now alicia"), "{}", unknown.public());
    installation.list("alice\nalicia\nacme\n");
    tenants.admit(person(42, "alicia")).await.unwrap();
    assert!(matches!(tenants.admit(person(66, "alice")).await.unwrap_err(), NotAdmitted::Taken { .. }));
    // Not even with another right to come in, and not after the old name has left the list.
    installation.list("alicia\nacme\n");
    let deceiver = member(66, "alice", &[(7, "acme", Role::Member)]);
    assert!(matches!(tenants.admit(deceiver).await.unwrap_err(), NotAdmitted::Taken { .. }));
}

#[tokio::test]
async fn an_account_on_the_list_is_the_only_one_that_comes_in_from_the_first_day_on() {
    let installation = Installation::new("alice github.com/42\nacme github.com/7\n");
    let tenants = installation.start().await;
    for stranger in [person(66, "alice"), member(43, "bob", &[(77, "acme", Role::Owner)])] {
        assert!(matches!(tenants.admit(stranger).await.unwrap_err(), NotAdmitted::NotListed { .. }));
    }
    tenants.admit(person(42, "alice")).await.unwrap();
    tenants.admit(member(43, "bob", &[(7, "acme", Role::Member)])).await.unwrap();
}

#[tokio::test]
async fn who_leaves_the_list_is_out() {
    let installation = Installation::new("alice\nbob\n");
    let tenants = installation.start().await;
    tenants.admit(person(42, "alice")).await.unwrap();
    installation.list("bob\n");
    let gone = tenants.admit(person(42, "alice")).await.unwrap_err();
    assert!(matches!(gone, NotAdmitted::NotListed { .. }), "{gone:?}");
}

#[tokio::test]
async fn operators_come_in_without_being_tenants() {
    let installation = Installation { operators: "github.com/1", ..Installation::new("alice\n") };
    let tenants = installation.start().await;
    let root = tenants.admit(person(1, "root-of-it")).await.unwrap();
    assert!(root.operator);
    assert_eq!(root.role_at(&OwnerId { host: HOST.into(), id: 42 }), None, "no tenant's role comes with it");
    let other_host = Person { host: "gitlab.com".into(), ..person(1, "root-of-it") };
    assert!(tenants.admit(other_host).await.is_err());
    assert!(!tenants.admit(person(42, "alice")).await.unwrap().operator);
}

#[tokio::test]
async fn two_accounts_at_once_do_not_both_get_a_login() {
    let installation = Installation::new("alice\n");
    let tenants = installation.start().await;
    let (one, other) = tokio::join!(tenants.admit(person(1, "alice")), tenants.admit(person(2, "alice")));
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
}

#[tokio::test]
async fn a_binding_that_cannot_be_kept_lets_nobody_in() {
    let installation = Installation::new("alice\n");
    let folder = tempfile::tempdir().unwrap();
    let path = installation.path();
    let tenants = open(&[("customers_path", path.to_str().unwrap())], folder.path()).await.unwrap();
    folder.close().unwrap();
    let error = tenants.admit(person(42, "alice")).await.unwrap_err();
    assert!(matches!(error, NotAdmitted::Unwritable(_)), "{error:?}");
}

#[tokio::test]
async fn a_damaged_register_stops_the_start() {
    let installation = Installation::new("alice\n");
    let path = installation.path();
    for wrong in ["", "{", "[]", r#"{"alice": 42}"#, r#"{"a_b": {"host": "github.com", "id": 1}}"#] {
        std::fs::write(installation.folder.path().join("tenants.json"), wrong).unwrap();
        let error = open(&[("customers_path", path.to_str().unwrap())], installation.folder.path()).await.unwrap_err();
        assert!(error.contains("tenants.json is damaged"), "{error}");
    }
}

/// S2: without a list the original went on, and let everybody through.
#[tokio::test]
async fn s2_without_a_usable_list_there_is_no_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    let start = async |variables: &[(&str, &str)]| open(variables, folder.path()).await.unwrap_err();
    let file = [("customers_path", path.to_str().unwrap())];
    assert!(start(&[]).await.contains("customers_path"));
    assert!(start(&file).await.contains("cannot be read"));
    std::fs::write(&path, "# nobody yet\n\n").unwrap();
    assert!(start(&file).await.contains("no login in it"));
    std::fs::write(&path, "<html>\n").unwrap();
    assert!(start(&file).await.contains("line 1"));
    assert!(start(&[("customers_url", "http://lists.example.com/customers")]).await.contains("https://"));
    let wrong: HashMap<_, _> = [("customers_path", path.to_str().unwrap()), ("operators", "alice")].into();
    let all = start(&wrong.into_iter().collect::<Vec<_>>()).await;
    assert!(all.contains("operators") && all.contains("customers_path"), "all at once: {all}");
}
