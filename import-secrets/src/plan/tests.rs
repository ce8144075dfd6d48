use proptest::prelude::*;
use sdk::event::PushEvent;

use super::*;
use crate::backend::OpenedKey;
use crate::record::now;

fn event(owner: &str, repo_id: u64) -> PushEvent {
    serde_json::from_value(serde_json::json!({
        "host": "h", "owner": owner, "owner_id": 7, "repo": format!("repo{repo_id}"), "repo_id": repo_id,
        "private": false, "branch": "main", "default_branch": "main", "sha": "a".repeat(40), "html_url": "",
        "installation": 0, "pusher": "p",
    }))
    .unwrap()
}

fn names_of(secret: &str, keys: &mut dyn Iterator<Item = &str>) -> BTreeSet<String> {
    let keys: Vec<_> = keys.collect();
    match keys.len() {
        1 => [secret.to_owned()].into(),
        _ => keys.iter().map(|key| format!("{secret}.{key}")).collect(),
    }
}

fn document(name: &str, values: &[(&str, &str)]) -> SealedSecret {
    let encrypted_data = values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    SealedSecret { name: name.to_owned(), namespace: "fns".to_owned(), encrypted_data, ..SealedSecret::default() }
}

/// A stage that takes over whatever it is given. What is sealed opens to itself without its first character, so that a
/// value can be sealed anew.
struct Stage {
    record: Record,
    there: BTreeSet<String>,
}

impl Stage {
    fn new() -> Self {
        let event = event("alice", 1);
        Self { record: Record::new(event.owner_id(), event.owner.clone()), there: BTreeSet::new() }
    }

    fn with<T>(&self, event: &PushEvent, ask: impl FnOnce(&Facts<'_>) -> T) -> T {
        ask(&Facts {
            event,
            namespace: "fns",
            record: &self.record,
            there: &self.there,
            claimed: &|name| name.starts_with("alice-x-"),
            names: &names_of,
        })
    }

    fn plan(&self, event: &PushEvent, documents: &[SealedSecret]) -> Result<Plan, Refusal> {
        self.with(event, |facts| Plan::make(facts, documents))
    }

    fn import(&mut self, event: &PushEvent, documents: &[SealedSecret]) -> Result<Vec<Step>, Refusal> {
        let plan = self.plan(event, documents)?;
        let leaving = plan.leaving.clone();
        let opened = plan.open.values().map(|candidate| {
            let keys = candidate.wanted.iter().map(|key| {
                let print = candidate.sealed[key].chars().skip(1).collect();
                (key.clone(), OpenedKey { print, fingerprint: "f".to_owned(), value: None })
            });
            keys.collect()
        });
        let opened = opened.collect();
        let steps = self.with(event, |facts| plan.settle(facts, opened, now()));
        self.record = self.record.after(&steps, &leaving);
        self.there.extend(self.record.held());
        Ok(steps)
    }
}

#[test]
fn who_may_name_a_secret_how() {
    let stage = Stage::new();
    let refused = |document: SealedSecret| stage.plan(&event("alice", 1), &[document]).unwrap_err();
    let good = || document("alice-db", &[("k", "1v")]);
    assert!(stage.plan(&event("alice", 1), &[good()]).is_ok());
    assert!(matches!(refused(document("alicedb", &[("k", "1v")])), Refusal::Name { .. }));
    assert!(matches!(refused(document("bob-db", &[("k", "1v")])), Refusal::Name { .. }));
    assert_eq!(refused(document("alice-x-db", &[("k", "1v")])), Refusal::Claimed("alice-x-db".to_owned()));
    assert!(matches!(refused(SealedSecret { namespace: "other".to_owned(), ..good() }), Refusal::Namespace { .. }));
    assert_eq!(refused(document("alice-db", &[])), Refusal::Empty("alice-db".to_owned()));
    assert!(matches!(refused(document("alice-db", &[("../k", "1v")])), Refusal::Key { .. }));
    for wider in WIDER {
        let annotations = BTreeMap::from([(wider.to_owned(), "true".to_owned())]);
        let scoped = SealedSecret { annotations: annotations.clone(), ..good() };
        assert_eq!(refused(scoped), Refusal::Scope("alice-db".to_owned()));
        let scoped = SealedSecret { template_annotations: annotations, ..good() };
        assert_eq!(refused(scoped), Refusal::Scope("alice-db".to_owned()));
    }
    let twice = stage.plan(&event("alice", 1), &[good(), good()]).unwrap_err();
    assert_eq!(twice, Refusal::Twice("alice-db".to_owned()));
}

#[test]
fn whose_a_secret_is() {
    let mut stage = Stage::new();
    let (first, second) = (event("alice", 1), event("alice", 2));
    let db = [document("alice-db", &[("k", "1v")])];
    stage.import(&first, &db).unwrap();
    assert!(matches!(stage.plan(&second, &db), Err(Refusal::Held { .. })));
    stage.import(&first, &[]).unwrap();
    assert!(stage.record.secrets.values().all(|kept| kept.leaving));
    let steps = stage.import(&second, &db).unwrap();
    assert_eq!((steps[0].kind, steps[0].written, steps[0].changed.len()), (Kind::Same, true, 0));
    assert!(matches!(stage.plan(&first, &db), Err(Refusal::Held { .. })));
    assert!(stage.plan(&first, &[]).unwrap().leaving.is_empty());
}

#[test]
fn what_is_there_and_not_in_the_record_is_never_ours() {
    let mut stage = Stage::new();
    stage.there = ["alice-db", "alice-api.a"].map(str::to_owned).into();
    let refused = |document| stage.plan(&event("alice", 1), &[document]).unwrap_err();
    assert_eq!(refused(document("alice-db", &[("k", "1v")])), Refusal::ByHand("alice-db".to_owned()));
    assert_eq!(refused(document("alice-db", &[("a", "1v"), ("b", "1v")])), Refusal::ByHand("alice-db".to_owned()));
    assert_eq!(refused(document("alice-api", &[("a", "1v"), ("b", "1v")])), Refusal::ByHand("alice-api.a".to_owned()));
}

#[test]
fn what_becomes_of_a_secret() {
    let mut stage = Stage::new();
    let event = event("alice", 1);
    let mut go = |values: &[(&str, &str)]| stage.import(&event, &[document("alice-db", values)]).unwrap();
    let told = |steps: Vec<Step>| steps.first().map(|step| (step.kind, step.changed.len()));
    assert_eq!(told(go(&[("a", "1v"), ("b", "1w")])), Some((Kind::Created, 2)));
    assert_eq!(told(go(&[("a", "1v"), ("b", "1w")])), None, "nothing is opened");
    assert_eq!(told(go(&[("a", "2v"), ("b", "1w")])), Some((Kind::Same, 0)), "sealed anew");
    assert_eq!(told(go(&[("a", "2v"), ("b", "1x")])), Some((Kind::Updated, 1)));
    assert_eq!(told(go(&[("a", "2v")])), Some((Kind::Updated, 1)), "the last key has another name");
    assert_eq!(stage.record.leaving, ["alice-db.a", "alice-db.b"].map(str::to_owned).into());
    assert!(stage.record.stale.contains_key("alice-db.a") && stage.record.stale.contains_key("alice-db"));
    // It was changed behind our back.
    stage.there.remove("alice-db");
    let steps = stage.import(&event, &[document("alice-db", &[("a", "2v")])]).unwrap();
    assert_eq!(told(steps), Some((Kind::Same, 1)));
    // The owner has another login now; its secrets have other names.
    let renamed = self::event("alicia", 1);
    let steps = stage.import(&renamed, &[document("alicia-db", &[("a", "2v")])]).unwrap();
    assert_eq!(told(steps), Some((Kind::Updated, 1)));
    assert!(stage.record.leaving.contains("alice-db"));
}

#[test]
fn an_owner_has_bounds() {
    let mut stage = Stage::new();
    let event = event("alice", 1);
    let many = |from: usize, count: usize| -> Vec<_> {
        (from..from + count).map(|n| document(&format!("alice-s{n}"), &[("k", "1v")])).collect()
    };
    stage.import(&event, &many(0, MAX_SECRETS)).unwrap();
    assert!(stage.plan(&event, &many(0, MAX_SECRETS)).is_ok());
    assert_eq!(stage.plan(&self::event("alice", 2), &many(MAX_SECRETS, 1)), Err(Refusal::TooMany(MAX_SECRETS)));
    let long = "1".repeat(MAX_SEALED + 1);
    let large = Stage::new().plan(&event, &[document("alice-db", &[("k", &long)])]);
    assert_eq!(large, Err(Refusal::TooLarge(MAX_SEALED)));
}

/// By a secret's number, by a key's number, a value's.
type File = BTreeMap<u8, BTreeMap<u8, u8>>;

/// Files of a few secrets with a few keys and values, each of a repository with a number.
fn files() -> impl Strategy<Value = Vec<(u64, File)>> {
    let keys = prop::collection::btree_map(0..3u8, 0..3u8, 1..3);
    prop::collection::vec((1..4u64, prop::collection::btree_map(0..4u8, keys, 0..4)), 1..12)
}

proptest! {
    /// Whatever is pushed in whatever order: a secret has one repository, no name is both used and leaving, nothing
    /// that is used is missing in the stage, and a file that is taken over twice changes nothing the second time.
    #[test]
    fn any_order_of_pushes_keeps_the_rules(pushes in files()) {
        let mut stage = Stage::new();
        for (repo, file) in pushes {
            let documents: Vec<_> = file.iter().map(|(secret, keys)| {
                let values: Vec<_> = keys.iter().map(|(key, value)| (format!("k{key}"), format!("1v{value}"))).collect();
                let values: Vec<_> = values.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
                document(&format!("alice-s{secret}"), &values)
            }).collect();
            let event = event("alice", repo);
            let before = stage.record.clone();
            let foreign = |record: &Record| record.secrets.iter().filter(|(_, kept)| kept.repo_id != repo && !kept.leaving)
                .map(|(name, kept)| (name.clone(), kept.clone())).collect::<Vec<_>>();
            match stage.import(&event, &documents) {
                Err(_) => prop_assert_eq!(&stage.record, &before),
                Ok(_) => {
                    let own = stage.record.secrets.values().filter(|kept| kept.repo_id == repo && !kept.leaving);
                    prop_assert_eq!(own.count(), documents.len());
                    let again = stage.record.clone();
                    prop_assert!(stage.import(&event, &documents).unwrap().is_empty());
                    prop_assert_eq!(&stage.record, &again);
                }
            }
            prop_assert_eq!(foreign(&stage.record), foreign(&before), "others' secrets are as they were");
            for kept in stage.record.secrets.values() {
                prop_assert!(kept.names.is_subset(&stage.there) && kept.names.is_disjoint(&stage.record.leaving));
            }
        }
    }
}
