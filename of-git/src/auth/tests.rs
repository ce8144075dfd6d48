use super::*;

fn keys() -> Keys {
    let token_key = SecretString::from("master");
    Keys {
        installation_tokens: InstallationTokens::new(&token_key),
        token_key,
        platform_token: Some("platform".into()),
    }
}

fn header(value: &str) -> HeaderMap {
    HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())])
}

fn basic(user: &str, password: &str) -> HeaderMap {
    header(&format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
}

#[test]
fn the_right_token_opens_and_everything_else_does_not() {
    let alice: Owner = "alice".parse().unwrap();
    let secret = token(&keys().token_key, &alice);
    let right = secret.expose_secret();
    assert_eq!(keys().basic(&basic("alice", right)).unwrap(), Caller::Owner(alice));
    assert_eq!(keys().basic(&basic("x-access-token", "platform")).unwrap(), Caller::Platform);
    let wrong = [
        basic("bob", right),
        basic("alice", "platform"),
        basic("alice", ""),
        basic("x-access-token", right),
        basic("", right),
        basic("../alice", right),
        header("Basic !!!"),
        header("Basic"),
        header(&format!("Bearer {right}")),
        HeaderMap::new(),
    ];
    for headers in wrong {
        assert!(keys().basic(&headers).is_err(), "{headers:?}");
    }
}

#[test]
fn only_the_platform_has_a_bearer_token() {
    assert_eq!(keys().bearer(&header("Bearer platform")).unwrap(), Caller::Platform);
    assert_eq!(keys().bearer(&header("token platform")).unwrap(), Caller::Platform);
    for value in ["Bearer", "Bearer ", "Bearer platfor", "Bearer platform2", "Basic platform"] {
        assert!(keys().bearer(&header(value)).is_err(), "{value}");
    }
}

async fn owners(folder: &std::path::Path) -> Owners {
    let owners = Owners::open(folder.join("owners.json"), None).unwrap();
    for path in ["alice/one", "alice/two", "bob/private"] {
        owners.register(&path.parse().unwrap()).await.unwrap();
    }
    owners
}

#[tokio::test]
async fn a_foreign_repository_reads_like_a_missing_one_and_refuses_pushes() {
    let folder = tempfile::tempdir().unwrap();
    let owners = owners(folder.path()).await;
    let path: RepoPath = "bob/private".parse().unwrap();
    let alice = Caller::Owner("alice".parse().unwrap());
    assert_eq!(alice.may_read(&path, &owners).unwrap_err().public(), missing(&path).public());
    assert_eq!(alice.may_push(&path).unwrap_err().status(), StatusCode::FORBIDDEN);
    assert_eq!(Caller::Platform.may_push(&path).unwrap_err().status(), StatusCode::FORBIDDEN);
    assert!(Caller::Platform.may_read(&path, &owners).is_ok());
}

#[tokio::test]
async fn an_installation_s_token_reads_what_it_names_while_the_app_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let owners = owners(folder.path()).await;
    let permissions = || [("contents".to_owned(), Level::Read)].into();
    let expires = clock::now() + 60;
    let grant = Grant { installation: 1, permissions: permissions(), repositories: Some(vec![1]), expires };
    let token = keys().installation_tokens.issue(&grant).unwrap();
    let caller = keys().basic(&basic("x-access-token", token.expose_secret())).unwrap();
    assert_eq!(keys().bearer(&header(&format!("Bearer {}", token.expose_secret()))).unwrap(), caller);
    let read = |caller: &Caller, path: &str| caller.may_read(&path.parse().unwrap(), &owners).is_ok();
    assert_eq!(["alice/one", "alice/two", "bob/private"].map(|path| read(&caller, path)), [true, false, false]);
    assert!(caller.may_push(&"alice/one".parse().unwrap()).is_err());
    let all = Caller::Installation(Grant { repositories: None, ..grant.clone() });
    assert_eq!(["alice/one", "alice/two", "bob/private"].map(|path| read(&all, path)), [true, true, false]);
    let blind = Caller::Installation(Grant { permissions: Default::default(), ..grant });
    assert!(!read(&blind, "alice/one"));
    owners.set_installed(&"alice/one".parse().unwrap(), false).await.unwrap();
    assert!(!read(&caller, "alice/one"));
}

#[test]
fn a_push_token_opens_the_interface_for_its_owner_alone() {
    let (alice, bob): (Owner, Owner) = ("alice".parse().unwrap(), "bob".parse().unwrap());
    let secret = token(&keys().token_key, &alice);
    let bearer = header(&format!("token {}", secret.expose_secret()));
    assert_eq!(keys().rest(&bearer, &alice).unwrap(), Caller::Owner(alice.clone()));
    assert!(keys().rest(&bearer, &bob).is_err());
    assert_eq!(keys().rest(&basic("alice", secret.expose_secret()), &bob).unwrap(), Caller::Owner(alice));
    assert!(keys().rest(&HeaderMap::new(), &bob).is_err());
}
