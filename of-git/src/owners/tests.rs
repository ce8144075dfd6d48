use super::*;

fn path(text: &str) -> RepoPath {
    text.parse().unwrap()
}

#[tokio::test]
async fn numbers_stay_and_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (file, customers) = (folder.path().join("owners.json"), folder.path().join("customers"));
    std::fs::write(&customers, "carol").unwrap();
    let owners = Owners::open(file.clone(), Some(customers.clone())).unwrap();
    let first = owners.register(&path("alice/Hello")).await.unwrap();
    let other = owners.register(&path("bob/hello")).await.unwrap();
    assert_eq!(owners.register(&path("alice/hello")).await.unwrap(), first);
    assert_ne!((first.owner_id, first.repo_id), (other.owner_id, other.repo_id));
    assert_eq!(std::fs::read_to_string(&customers).unwrap(), "carol\nalice\nbob\n");

    std::fs::write(&customers, "Alice git.localhost/1\ncarol\n").unwrap();
    Owners::open(file.clone(), Some(customers.clone())).unwrap();
    let mended = std::fs::read_to_string(&customers).unwrap();
    assert_eq!(mended, "Alice git.localhost/1\ncarol\nbob\n", "with its account it is there already");
    std::fs::write(&customers, "").unwrap();
    let again = Owners::open(file, Some(customers.clone())).unwrap();
    assert_eq!(std::fs::read_to_string(&customers).unwrap(), "alice\nbob\n", "the list is mended at the start");
    assert_eq!(again.register(&path("ALICE/HELLO")).await.unwrap(), first);
    assert_eq!(again.register(&path("dora/x")).await.unwrap().owner_id, 3);
}

#[tokio::test]
async fn who_signs_in_before_the_first_push_keeps_the_number() {
    let folder = tempfile::tempdir().unwrap();
    let (file, customers) = (folder.path().join("owners.json"), folder.path().join("customers"));
    let owners = Owners::open(file.clone(), Some(customers.clone())).unwrap();
    let alice: Owner = "alice".parse().unwrap();
    assert_eq!((owners.number(&alice), owners.about(&alice)), (None, None));
    assert!(owners.is_empty());
    assert_eq!(owners.register_owner(&alice).await.unwrap(), 1);
    assert_eq!(owners.register_owner(&alice).await.unwrap(), 1);
    assert_eq!(std::fs::read_to_string(&customers).unwrap(), "alice\n");
    let again = Owners::open(file, None).unwrap();
    assert_eq!((again.number(&alice), again.is_empty()), (Some(1), false));
    assert_eq!(again.register(&path("alice/hello")).await.unwrap().owner_id, 1);
    assert_eq!(again.about(&alice).unwrap().repositories, 1);
}

#[test]
fn a_damaged_register_stops_the_start_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("owners.json");
    std::fs::write(&file, "{\"last_owner_id\":1").unwrap();
    let error = Owners::open(file, None).unwrap_err().to_string();
    assert!(error.contains("owners.json") && error.contains("damaged"), "{error}");
}

#[test]
fn parts_of_the_platform_are_no_logins() {
    for login in ["System", "git", "auth", "www", "api", "localhost", "login"] {
        assert!(is_reserved(&login.parse().unwrap()), "{login}");
    }
    assert!(!is_reserved(&"alice".parse().unwrap()));
}
