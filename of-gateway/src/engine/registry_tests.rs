use super::*;

fn of(text: &str) -> RegistryCredentials {
    RegistryCredentials::Secret(Env::from_map([("", "")], [(SECRET, text)]))
}

/// What the engine reads in the header.
fn sent(config: &str, image: &str) -> Option<serde_json::Value> {
    let header = of(config).header(image).unwrap()?;
    assert!(header.is_sensitive());
    Some(serde_json::from_slice(&URL_SAFE.decode(header.as_bytes()).unwrap()).unwrap())
}

fn auth(pair: &str) -> String {
    STANDARD.encode(pair)
}

#[test]
fn an_image_names_its_registry_or_comes_from_the_hub() {
    for (image, expected) in [
        ("alpine", HUB),
        ("library/alpine:3", HUB),
        ("docker.io/a/b", HUB),
        ("index.docker.io/a/b", HUB),
        ("ghcr.io/a/b@sha256:00", "ghcr.io"),
        ("localhost/a", "localhost"),
        ("127.0.0.1:5000/a/b:v1", "127.0.0.1:5000"),
    ] {
        assert_eq!(registry(image), expected, "{image}");
    }
}

#[test]
fn credentials_go_to_their_registry_only() {
    let config = format!(
        r#"{{"auths": {{
            "https://index.docker.io/v1/": {{"auth": "{}"}},
            "https://old.example.com/v1/": {{"username": "b", "password": "p"}},
            "r.example.com:5000": {{"identitytoken": "token"}}}}, "credsStore": ""}}"#,
        auth("a:pa:ss")
    );
    let hub = sent(&config, "alpine").unwrap();
    assert_eq!((&hub["username"], &hub["password"]), (&"a".into(), &"pa:ss".into()));
    assert_eq!(hub["serveraddress"], HUB_KEY);
    let old = sent(&config, "old.example.com/x").unwrap();
    assert_eq!((&old["username"], &old["password"]), (&"b".into(), &"p".into()));
    assert_eq!(sent(&config, "r.example.com:5000/x").unwrap()["identitytoken"], "token");
    for other in ["r.example.com/x", "r.example.com:5001/x", "example.com/x", "r.example.com.evil.org/x"] {
        assert_eq!(sent(&config, other), None, "{other}");
    }
    assert_eq!(RegistryCredentials::None.header("alpine"), Ok(None));
}

#[test]
fn every_password_arrives_as_it_is() {
    // In the usual alphabet of base64 some of these would hold a plus or a slash.
    for shift in ["", "x", "xx"] {
        let password = format!("{shift}???>>>~~~ü\"\\");
        let config = serde_json::json!({"auths": {"r.io": {"auth": auth(&format!("u:{password}"))}}}).to_string();
        assert_eq!(sent(&config, "r.io/a").unwrap()["password"], password.as_str());
    }
}

#[test]
fn what_is_wrong_is_said_without_a_value() {
    for (config, part) in [
        ("hunter2", "no valid JSON in line 1"),
        (r#"{"auths": {"r.io": "hunter2"}}"#, "a value of the wrong type in line 1"),
        (r#"{"auths": {"r.io": {"auth": "hunter2"}}}"#, "not the base64 of name:password"),
        (r#"{"auths": {"r.io": {"auth": "aHVudGVyMg=="}}}"#, "not the base64 of name:password"),
        (r#"{"auths": {"r.io": {}}, "credsStore": "desktop"}"#, "the helper \"desktop\""),
        (r#"{"credHelpers": {"r.io": "ecr-login"}}"#, "the helper \"ecr-login\""),
    ] {
        let sentence = of(config).header("r.io/a").unwrap_err().to_string();
        assert!(sentence.contains(part) && !sentence.contains("hunter2"), "{sentence}");
    }
    assert_eq!(sent(r#"{"auths": {"r.io": {}}}"#, "r.io/a"), None, "an empty entry is none");
    assert_eq!(sent(r#"{"auths": {}, "credsStore": "desktop"}"#, "r.io/a"), None);
    assert!(!format!("{:?}", of(r#"{"auths": {"r.io": {"password": "hunter2"}}}"#)).contains("hunter2"));
}

#[test]
fn a_file_is_read_anew_and_has_to_be_there_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.json");
    let env = Env::from_map([(VARIABLE, path.to_str().unwrap())], [("", ""); 0]);
    let read = || {
        let r = env.reader();
        let read = RegistryCredentials::from_env(&r, &env);
        r.finish().map_err(|error| error.to_string()).map(|()| read.unwrap())
    };
    assert!(read().unwrap_err().contains("docker_config is not usable"));
    std::fs::write(&path, "{}").unwrap();
    let credentials = read().unwrap();
    assert_eq!(credentials.header("r.io/a"), Ok(None));
    std::fs::write(&path, format!(r#"{{"auths": {{"r.io": {{"auth": "{}"}}}}}}"#, auth("a:b"))).unwrap();
    assert!(credentials.header("r.io/a").unwrap().is_some());
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(credentials.header("r.io/a"), Err(CredentialsError::Read(..))));
}
