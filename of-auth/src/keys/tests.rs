use super::*;

const RULES: SessionRules = SessionRules { idle: 1000, lifetime: 10_000, token: 100 };
const ROTATION: u64 = 5000;

async fn open(folder: &tempfile::TempDir, given: Option<&SecretString>, now: u64) -> Keys {
    let store = Store::open(folder.path()).unwrap();
    Keys::open(store, "https://auth.system.example.com".into(), given.cloned(), now).await.unwrap()
}

fn kids(keys: &Keys) -> Vec<String> {
    keys.current().public.keys.iter().map(|key| key.kid.clone()).collect()
}

#[tokio::test]
async fn a_key_changes_in_its_time_and_is_believed_until_its_last_session_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let keys = open(&folder, None, 100).await;
    let first = kids(&keys);
    assert!(!keys.tend(100 + ROTATION - 1, ROTATION, RULES).await.unwrap());
    assert_eq!(kids(&keys), first);
    assert!(keys.tend(100 + ROTATION, ROTATION, RULES).await.unwrap());
    let both = kids(&keys);
    assert_eq!((both.len(), &both[1]), (2, &first[0]));
    assert_eq!(keys.current().signer.public().kid, both[0]);
    let over = 100 + ROTATION + RULES.token + RULES.idle;
    keys.tend(over, ROTATION, RULES).await.unwrap();
    assert_eq!(kids(&keys), both);
    keys.tend(over + 1, ROTATION, RULES).await.unwrap();
    assert_eq!(kids(&keys), both[..1]);
    drop(keys);
    assert_eq!(kids(&open(&folder, None, over).await), both[..1], "also after a restart");
}

#[tokio::test]
async fn an_operator_s_key_signs_and_a_change_of_it_retires_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let kid = |pem: &SecretString| SigningKey::from_pem(pem).unwrap().public().kid.clone();
    let keys = open(&folder, Some(&one), 100).await;
    assert_eq!(kids(&keys), [kid(&one)]);
    assert!(!keys.tend(100 + ROTATION, ROTATION, RULES).await.unwrap(), "it does not change by itself");
    assert!(matches!(keys.rotate(200, false).await, Err(KeysError::Given)));
    drop(keys);
    let stored = std::fs::read(folder.path().join("auth.db")).unwrap();
    assert!(!stored.windows(11).any(|window| window == b"PRIVATE KEY"), "its private half is not copied");
    let keys = open(&folder, Some(&two), 300).await;
    assert_eq!(kids(&keys), [kid(&two), kid(&one)]);
    drop(keys);
    let keys = open(&folder, Some(&one), 400).await;
    assert_eq!(kids(&keys), [kid(&one), kid(&two)], "and back");
    drop(keys);
    let made = open(&folder, None, 500).await;
    assert_eq!((kids(&made).len(), &kids(&made)[1]), (3, &kid(&one)), "without the secret a key is made");
}
