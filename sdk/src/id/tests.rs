use super::*;

#[test]
fn owners_are_lower_cased_and_bounded() {
    assert_eq!("AlexEllis".parse::<Owner>().unwrap().as_str(), "alexellis");
    for bad in ["", "-a", "a-", "a_b", "a.b", "a/b", "ä", &"a".repeat(40), "a b", "a\n"] {
        assert!(bad.parse::<Owner>().is_err(), "{bad:?}");
    }
}

#[test]
fn repository_names_cannot_be_paths_or_options() {
    for good in ["hello", "Hello.World", "a_b-c", "x.y"] {
        assert_eq!(good.parse::<RepoName>().unwrap().as_str(), good);
    }
    for bad in ["", ".", "..", ".git", "a/b", "-x", "a..b", "x.git", "x.LOCK", "a\\b", "a b", "a\0", &"a".repeat(101)] {
        assert!(bad.parse::<RepoName>().is_err(), "{bad:?}");
    }
}

#[test]
fn function_names_are_labels() {
    assert!("hello-1".parse::<FunctionName>().is_ok());
    for bad in ["Hello", "a_b", "../../victim", "-a", "a-", "", &"a".repeat(64)] {
        assert!(bad.parse::<FunctionName>().is_err(), "{bad:?}");
    }
}

#[test]
fn a_service_name_says_why_it_is_too_long() {
    let owner: Owner = "a".repeat(39).parse().unwrap();
    let fits: FunctionName = "f".repeat(23).parse().unwrap();
    let long: FunctionName = "f".repeat(24).parse().unwrap();
    assert_eq!(ServiceName::of(&owner, &fits).unwrap().as_str().len(), 63);
    let error = ServiceName::of(&owner, &long).unwrap_err();
    assert!(error.to_string().contains("63 characters together"), "{error}");
}

#[test]
fn commits_are_full_ids() {
    let sha: CommitSha = "0123456789ABCDEF0123456789abcdef01234567".parse().unwrap();
    assert_eq!(sha.short(), "0123456");
    assert!(!sha.is_zero());
    assert!("0".repeat(40).parse::<CommitSha>().unwrap().is_zero());
    for bad in ["0123456", "HEAD", "", &"g".repeat(40)] {
        assert!(bad.parse::<CommitSha>().is_err(), "{bad:?}");
    }
}

#[test]
fn errors_show_no_control_characters() {
    let error = "a\u{1b}[31m".parse::<Owner>().unwrap_err().to_string();
    assert!(!error.contains('\u{1b}'), "{error:?}");
}

#[test]
fn json_is_checked_too() {
    assert!(serde_json::from_str::<FunctionName>("\"ok\"").is_ok());
    assert!(serde_json::from_str::<FunctionName>("\"../x\"").is_err());
}
