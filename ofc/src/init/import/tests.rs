use secrecy::ExposeSecret;

use super::*;
use crate::config_file::render;

/// Every field of spec, as ofc-bootstrap's own example has them.
const PLAN: &str = r#"
orchestration: kubernetes
secrets:
  - literals:
      - name: "basic-auth-user"
        value: "admin"
      - name: "basic-auth-password"
        value: ""
    name: basic-auth
    namespace: "openfaas"
    filters: ["default"]
  - literals:
      - {name: payload-secret, value: kept-payload}
    name: payload-secret
    namespace: openfaas
    filters: [default]
  - literals:
      - {name: github-webhook-secret, value: ""}
    name: github-webhook-secret
    filters: [scm_github]
    namespace: openfaas-fn
  - files:
      - {name: private-key, value_from: key.pem}
    name: private-key
    filters: [scm_github]
    namespace: openfaas-fn
  - files:
      - {name: key, value_command: "openssl ecparam -genkey"}
    name: jwt-private-key
    filters: [auth]
    namespace: openfaas
  - files:
      - {name: config.json, value_from: ./credentials/config.json}
    name: registry-secret
    type: kubernetes.io/dockerconfigjson
    filters: [default]
    namespace: openfaas
  - files:
      - {name: of-customers, value_from: customers}
    name: of-customers
    namespace: openfaas
  - literals:
      - {name: secret-access-key, value: hunter2}
    name: route53-credentials-secret
    filters: [dns_route53]
    namespace: cert-manager
registry: docker.io/ofctest/
root_domain: "myfaas.club"
ingress: loadbalancer
deployment:
  custom_templates: ["https://github.com/openfaas/golang-http-template"]
scm: github
github:
  app_id: "24304"
  private_key_filename: "private-key"
  public_link: "https://github.com/apps/o6s-io"
gitlab:
  gitlab_instance: "https://gitlab.o6s.io/"
enable_oauth: true
oauth:
  client_id: clientid
  oauth_provider_base_url: ""
slack:
  url: https://hooks.slack.com/services/T000/B000/hunter2
customers_url: "https://raw.githubusercontent.com/openfaas/openfaas-cloud/master/CUSTOMERS"
customers_secret: true
s3:
  s3_url: cloud-minio.openfaas.svc.cluster.local:9000
  s3_region: us-east-1
  s3_tls: false
  s3_bucket: pipeline
tls: true
tls_config:
  issuer_type: "prod"
  email: "your@email.com"
  dns_service: route53
  region: us-east-1
  access_key_id: ASYAKIUJE8AYRQQ7DU3M
enable_dockerfile_lang: false
scale_to_zero: false
network_policies: true
build_branch: master
enable_ecr: false
ecr_config: {ecr_region: eu-central-1}
ingress_operator: false
openfaas_operator: false
openfaas_cloud_version: 0.14.6
features: {}
"#;

fn plan(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    plan(folder.path(), "key.pem", "-----BEGIN RSA PRIVATE KEY-----\n");
    plan(folder.path(), "customers", "# ours\nalice\nacme\n");
    folder
}

fn shown(imported: &Imported, folder: &Path) -> String {
    let mut text = render(&imported.config).replace(&folder.display().to_string(), "HERE");
    text.push_str("\nSecrets: ");
    text.push_str(&imported.secrets.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "));
    text.push_str("\n\nNot taken over:\n");
    text.extend(imported.left_out.iter().map(|(field, reason)| format!("  {field}: {reason}\n")));
    text
}

#[test]
fn every_field_is_taken_over_or_named() {
    let folder = folder();
    let file = plan(folder.path(), "init.yaml", PLAN);
    let imported = import(&[file], None, folder.path().to_owned()).unwrap();
    let text = shown(&imported, folder.path());
    assert!(!text.contains("hunter2") && !format!("{imported:?}").contains("hunter2"), "{text}");
    let checked = ConfigFile::parse(&render(&imported.config), folder.path().to_owned()).unwrap();
    assert_eq!(checked, imported.config);
    insta::assert_snapshot!(text, @r#"
    # One installation of OpenFaaS Cloud; docs/init.md describes every key.
    domain: "myfaas.club"
    target: kubernetes
    build_branch: "master"
    source:
      host: github
      url: "https://github.com/"
      app:
        id: 24304
    tenants:
      - "alice"
      - "acme"
    sign_in:
      provider: github
      url: "https://github.com/"
      client_id: "clientid"
    tls:
      mode: proxy
    registry:
      prefix: "docker.io/ofctest/"
      credentials: "HERE/./credentials/config.json"
    store:
      kind: s3
      url: "http://cloud-minio.openfaas.svc.cluster.local:9000/"
      region: "us-east-1"
      bucket: "pipeline"
    limits:
      scale_to_zero: false
    templates:
      - "https://github.com/openfaas/golang-http-template"
    dockerfiles: false

    Secrets: basic-auth-user, payload-secret, private-key, slack-url

    Not taken over:
      secrets.jwt-private-key.key: a command is not run: it is made here, or named at the end
      secrets.route53-credentials-secret.secret-access-key: it is a cloud's, for something that is not done here
      github.private_key_filename: the key's file is called private-key here
      github.public_link: GitHub says where the App's page is
      gitlab.gitlab_instance: scm is github
      customers_url: the list is in the secret customers
      tls_config.dns_service: a wildcard needs tls.dns_hook, a program of yours (docs/https.md)
      tls_config.region: a wildcard needs tls.dns_hook, a program of yours (docs/https.md)
      tls_config.access_key_id: a wildcard needs tls.dns_hook, a program of yours (docs/https.md)
      tls_config: in a cluster the ingress or cert-manager ends encryption, as before
      ingress: of-router is reached by a Service or a port of yours
      network_policies: they are always written
      enable_ecr: repositories at ECR are not made here; make them before the first push, or use another registry
      ecr_config: repositories at ECR are not made here; make them before the first push, or use another registry
      ingress_operator: custom domains are the router's own (docs/edge.md)
      openfaas_operator: any OpenFaaS gateway will do
      openfaas_cloud_version: it is the version of this program
      features: they were switches of the old program
    "#);
}

#[test]
fn later_plans_go_before_earlier_ones_and_secrets_go_by_name() {
    let folder = folder();
    let below = plan(folder.path(), "a.yaml", PLAN);
    let above = plan(
        folder.path(),
        "b.yaml",
        "root_domain: other.io\nscm: gitlab\noauth: {oauth_provider_base_url: 'https://gitlab.o6s.io'}\nsecrets:\n\
         - {name: payload-secret, literals: [{name: payload-secret, value: newer}]}\nscale_to_zero: true\nelse: 1\n",
    );
    let imported = import(&[below, above], Some(Target::Up), folder.path().to_owned()).unwrap();
    assert_eq!(imported.config.domain.as_str(), "other.io");
    assert!(imported.config.scale_to_zero && matches!(imported.config.tls, Tls::Acme(_)));
    assert!(matches!(&imported.config.sign_in, SignIn::Gitlab { client_id, .. } if client_id == "clientid"));
    let payload: Vec<_> = imported.secrets.iter().filter(|(name, _)| *name == PAYLOAD_NAME).collect();
    assert_eq!(payload.len(), 1);
    assert_eq!(payload[0].1.expose_secret(), "newer");
    assert!(imported.left_out.iter().any(|(field, _)| field == "else"));
    assert!(imported.left_out.iter().any(|(field, _)| field == "s3"));
}

const PAYLOAD_NAME: &str = crate::secrets::PAYLOAD;

#[test]
fn what_cannot_be_used_is_told_at_once_and_no_value_is_quoted() {
    let folder = folder();
    let text = "scm: bitbucket\nregistry: Wrong\nenable_oauth: true\ncustomers_url: ftp://hunter2\nsecrets: [{name: payload-secret, literals: [{name: payload-secret, value: [hunter2]}]}]\n";
    let file = plan(folder.path(), "init.yaml", text);
    let error = import(&[file], None, folder.path().to_owned()).unwrap_err();
    let text = crate::report::render(&error);
    for expected in
        ["root_domain is missing", "scm is 'bitbucket'", "registry has to be", "customers_url cannot", "single value"]
    {
        assert!(text.contains(expected), "'{expected}' is not in: {text}");
    }
    assert!(!text.contains("hunter2"), "{text}");
    let missing = import(&[folder.path().join("none.yaml")], None, folder.path().to_owned()).unwrap_err();
    assert!(missing.to_string().contains("none.yaml cannot be read"));
}
