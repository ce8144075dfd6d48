use super::*;

fn parse(text: &str) -> Result<ConfigFile, Unusable> {
    ConfigFile::parse(text, PathBuf::from("/etc/ofc"))
}

const ALL: &str = r#"
domain: Example.com
target: systemd
build_branch: 1.10
data: /srv/ofc
source:
  host: github
  url: https://ghe.example.com/
  api_url: https://ghe.example.com/api/v3
  app:
    id: 4711
    client_id: Iv1.abc
    name: "cloud: staging"
    organisation: acme
    public: true
tenants:
  - alice
  - acme ghe.example.com/9919
operators: ghe.example.com/7
sign_in:
  provider: oidc
  issuer: https://id.example.com/realm
  client_id: ofc
  owner_host: ghe.example.com
  groups: ["acme/9919=developers:member"]
tls:
  mode: acme
  email: ops@example.com
  staging: true
  accept_terms: true
  dns_hook: hook.sh
listen: {http: "127.0.0.1:8001", https: "0.0.0.0:8443", gateway: 8081, metrics: 9090}
registry: {prefix: ghcr.io/acme, credentials: ~/.docker/config.json}
store: {kind: s3, url: "https://s3.example.com", bucket: logs-1, region: eu-west-1}
limits: {memory_mb: 256, memory_mb_max: 1024, builds: 4, scale_to_zero: false}
templates: ["https://github.com/openfaas/templates#master"]
dockerfiles: false
prometheus: http://prometheus:9090
sealing_key_days: 7
"#;

#[test]
fn every_key_is_read_and_written_and_read_again() {
    let config = parse(ALL).unwrap();
    assert_eq!(config.domain.as_str(), "example.com");
    assert_eq!(config.build_branch.as_deref(), Some("1.10"));
    assert_eq!(config.registry.as_ref().unwrap().prefix, "ghcr.io/acme/");
    assert_eq!(config.limits[0], ("function_memory_limit_mb", 256));
    assert_eq!(config.public_url("system"), "https://system.example.com:8443");
    let text = render(&config);
    assert_eq!(parse(&text).unwrap(), config);
    insta::assert_snapshot!(text, @r#"
    # One installation of OpenFaaS Cloud; docs/init.md describes every key.
    domain: "example.com"
    target: systemd
    build_branch: "1.10"
    data: "/srv/ofc"
    source:
      host: github
      url: "https://ghe.example.com/"
      app:
        id: 4711
        client_id: "Iv1.abc"
        name: "cloud: staging"
        organisation: "acme"
        public: true
    tenants:
      - "alice"
      - "acme ghe.example.com/9919"
    operators:
      - "ghe.example.com/7"
    sign_in:
      provider: oidc
      issuer: "https://id.example.com/realm"
      client_id: "ofc"
      owner_host: "ghe.example.com"
      groups:
        - "acme/9919=developers:member"
    tls:
      mode: acme
      accept_terms: true
      email: "ops@example.com"
      staging: true
      dns_hook: "hook.sh"
    listen:
      http: "127.0.0.1:8001"
      https: "0.0.0.0:8443"
      gateway: 8081
      metrics: 9090
    registry:
      prefix: "ghcr.io/acme/"
      credentials: "~/.docker/config.json"
    store:
      kind: s3
      url: "https://s3.example.com/"
      region: "eu-west-1"
      bucket: "logs-1"
    limits:
      memory_mb: 256
      memory_mb_max: 1024
      builds: 4
      scale_to_zero: false
    templates:
      - "https://github.com/openfaas/templates#master"
    dockerfiles: false
    prometheus: "http://prometheus:9090/"
    sealing_key_days: 7
    "#);
}

#[test]
fn one_line_is_enough_for_this_machine() {
    let config = parse("domain: localhost").unwrap();
    assert_eq!((&config.source, &config.tls, config.scheme()), (&Source::Local, &Tls::Off, "http"));
    assert_eq!(config.public_url("git"), "http://git.localhost:8000");
    assert_eq!(config.at(Path::new("x")), Path::new("/etc/ofc/x"));
    assert_eq!(parse(&render(&config)).unwrap(), config);
}

#[test]
fn github_is_where_github_is() {
    let config = parse("{domain: a.io, source: {host: github}, tenants: https://a.io/list}").unwrap();
    let Source::Github(github) = &config.source else { panic!() };
    assert_eq!(github.api_url.as_str(), "https://api.github.com/");
    assert_eq!(github.new_app_page(), "https://github.com/settings/apps/new");
    let config = parse("{domain: a.io, source: {host: github, url: 'https://g.io'}, tenants: [a, b]}").unwrap();
    let Source::Github(github) = &config.source else { panic!() };
    assert_eq!(github.api_url.as_str(), "https://g.io/api/v3");
    assert_eq!(config.sign_in, SignIn::Github { url: github.url.clone(), client_id: None });
    for wrong in ["http://g.io", "https://u:p@g.io", "https://g.io?token=x"] {
        let text = format!("{{domain: a.io, source: {{host: github, url: '{wrong}'}}, tenants: [a]}}");
        let said = parse(&text).unwrap_err().to_string();
        assert!(said.contains("source.url cannot be used") && !said.contains("token=x"), "{said}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once_with_its_place() {
    let wrong = r#"
domian: example.com
target: kubernets
build_branch: "a b"
source:
  host: githbu
tls:
  mode: acme
  email: nobody
  acept_terms: true
registry:
  prefix: Acme
store: [a]
limits:
  memory_mb: lots
listen:
  http: everywhere
operators: [alice]
templates: ["http://elsewhere/x"]
sealing_key_days: -1
prometheus: http://prometheus:9090/graph
"#;
    insta::assert_snapshot!(parse(wrong).unwrap_err(), @r"
    line 2, column 1: domain is missing
    line 2, column 1: domian is not known; did you mean 'domain'?
    line 3, column 1: target is 'kubernets': it has to be one of up, systemd, kubernetes; did you mean 'kubernetes'?
    line 4, column 1: build_branch has to be the name of one branch, such as main
    line 6, column 3: source.host is 'githbu': it has to be one of local, github, gitlab; did you mean 'github'?
    line 7, column 1: tls.accept_terms has to be true: read the terms of service of the authority first
    line 9, column 3: tls.email has to be a mail address
    line 10, column 3: tls.acept_terms is not known; did you mean 'accept_terms'?
    line 12, column 3: registry.prefix is 'Acme': it has to be like ghcr.io/acme/, in lower case
    line 13, column 8: store has to be a mapping ('key: value' on lines of their own)
    line 15, column 3: limits.memory_mb is 'lots': it has to be a number from 1 to 1048576
    line 17, column 3: listen.http is 'everywhere': invalid socket address syntax
    line 18, column 1: operators has 'alice': it has to be <host>/<number>, such as github.com/583231
    line 19, column 1: templates has 'http://elsewhere/x': it has to be like https://host/path#ref
    line 20, column 1: sealing_key_days is '-1': it has to be a number from 0 to 3650
    line 21, column 1: prometheus has to be http:// or https:// and a host, without a path
    ");
}

#[test]
fn what_does_not_go_together_is_told() {
    let cases = [
        ("domain: a.io\ntenants: [alice]", "tenants is of no use with source.host local"),
        ("domain: a.io\nsign_in: {provider: oidc}", "sign_in is of no use"),
        ("domain: a.io\nsource: {host: github}", "tenants is missing"),
        ("domain: a.io\nsource: {host: github}\ntenants: ['a b c']", "tenants has something wrong in its element 1"),
        ("domain: a.io\nsource: {host: gitlab}\ntenants: [a]", "sign_in.client_id is missing"),
        ("domain: a.io\nsource: {host: github}\ntenants: ftp://x", "tenants cannot be used"),
        (
            "domain: a.io\nsource: {host: github, app: {id: 7}}\ntenants: [a]",
            "sign_in.client_id is missing: say source",
        ),
        ("domain: a.io\ntarget: kubernetes", "source.host is local"),
        ("domain: a.io\ntarget: kubernetes", "registry is missing"),
        ("domain: a.io\ntarget: kubernetes", "store.kind has to be s3"),
        ("domain: a.io\ntls: {mode: files}", "tls.certificate is missing"),
        ("domain: a.io\ntls: {mode: acme}", "tls.accept_terms has to be true"),
        ("- a", "the file has to be a mapping"),
        ("", "domain is missing"),
    ];
    for (text, expected) in cases {
        let said = parse(text).unwrap_err().to_string();
        assert!(said.contains(expected), "'{expected}' is not in: {said}");
    }
}

#[test]
fn a_file_that_is_not_there_says_what_to_do() {
    let text = crate::report::render(&ConfigFile::load(Path::new("/nonexistent/ofc.yml")).unwrap_err());
    assert!(text.contains("/nonexistent/ofc.yml") && text.contains("`ofc init`"), "{text}");
}
