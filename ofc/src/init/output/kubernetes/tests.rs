use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;
use crate::config_file::tree::{self, Value};
use crate::config_file::{AppRecord, ConfigFile};

const CONFIG: &str = "\
domain: example.com
target: kubernetes
build_branch: live
source: {host: github}
tenants: [alice, acme]
registry: {prefix: ghcr.io/acme, credentials: config.json}
store: {kind: s3, url: 'http://minio.openfaas:9000', bucket: pipeline}
limits: {memory_mb: 256, builds: 4, scale_to_zero: false}
";

fn made(folder: &Path) -> (ConfigFile, Report) {
    let path = folder.join("ofc.yml");
    std::fs::write(&path, CONFIG).unwrap();
    let auths = r#"{"auths": {"ghcr.io": {"auth": "YTpi"}, "other.example": {"auth": "c2VjcmV0Om90aGVy"}}}"#;
    std::fs::write(folder.join("config.json"), auths).unwrap();
    let config = ConfigFile::load(&path).unwrap();
    crate::data_dir::private_dir(&config.secrets()).unwrap();
    for name in OF_FUNCTIONS.iter().chain(OF_SERVICES).chain(&[BUILDER_KEY]) {
        std::fs::write(config.secrets().join(name), format!("the {name}")).unwrap();
    }
    let secrets = Secrets::existing(config.secrets());
    let app = AppRecord {
        github: "https://github.com/".into(),
        id: 4711,
        slug: "ofc".into(),
        client_id: "Iv1.x".into(),
        html_url: "https://github.com/apps/ofc".into(),
    };
    let mut report = Report::default();
    let at = config.data();
    let given = Given {
        config: &config,
        path: &path,
        secrets: &secrets,
        app: Some(&app),
        tenants: config.tenants.text(),
        folder: &at,
    };
    super::write(&given, &mut report).unwrap();
    let first = report.changes;
    super::write(&given, &mut report).unwrap();
    assert_eq!(first, report.changes, "again, nothing changes");
    (config, report)
}

/// Each document of a manifest as `kind namespace/name`.
fn documents(text: &str) -> Vec<String> {
    let field = |node: &tree::Node, key: &str| {
        let Value::Map(all) = &node.value else { panic!("no mapping") };
        all.iter().find(|(known, _)| known.name == key).map(|(_, node)| node.clone())
    };
    let word = |node: Option<tree::Node>| match node.map(|node| node.value) {
        Some(Value::Text(text)) => text,
        _ => String::new(),
    };
    let of = |text: &str| {
        let node = tree::read(text).unwrap();
        let metadata = field(&node, "metadata").unwrap();
        assert!(field(&node, "apiVersion").is_some());
        format!(
            "{} {}/{}",
            word(field(&node, "kind")),
            word(field(&metadata, "namespace")),
            word(field(&metadata, "name"))
        )
    };
    text.split("---\n").map(of).collect()
}

#[test]
fn manifests_are_whole_and_secrets_are_closed_to_others() {
    let folder = tempfile::tempdir().unwrap();
    let (config, report) = made(folder.path());
    let mut all = Vec::new();
    for name in ["00-namespaces.yaml", "10-secrets.yaml", "20-import-secrets.yaml", "30-network-policies.yaml"] {
        let path = config.data().join(name);
        all.extend(documents(&std::fs::read_to_string(&path).unwrap()));
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, if name.starts_with("10") { 0o600 } else { 0o644 }, "{name}");
    }
    insta::assert_snapshot!(all.join("\n"), @r#"
    Namespace /openfaas
    Namespace /openfaas-builder
    Namespace /openfaas-fn
    Secret openfaas/basic-auth-password
    Secret openfaas/basic-auth-user
    Secret openfaas/customers
    Secret openfaas/jwt-private-key
    Secret openfaas/of-client-secret
    Secret openfaas/payload-secret
    Secret openfaas-fn/basic-auth-password
    Secret openfaas-fn/basic-auth-user
    Secret openfaas-fn/builder-payload-secret
    Secret openfaas-fn/customers
    Secret openfaas-fn/github-webhook-secret
    Secret openfaas-fn/gitlab-api-token
    Secret openfaas-fn/gitlab-webhook-secret
    Secret openfaas-fn/payload-secret
    Secret openfaas-fn/private-key
    Secret openfaas-fn/s3-access-key
    Secret openfaas-fn/s3-secret-key
    Secret openfaas-fn/sealing-keys
    Secret openfaas-fn/slack-url
    Secret openfaas/basic-auth
    Secret openfaas-builder/payload-secret
    Secret openfaas-builder/builder-private-key
    Secret openfaas-builder/registry-secret
    Secret openfaas-fn/registry-pull-secret
    ServiceAccount openfaas-fn/default
    ServiceAccount openfaas-fn/import-secrets
    Role openfaas-fn/import-secrets
    RoleBinding openfaas-fn/import-secrets
    NetworkPolicy openfaas-fn/functions
    NetworkPolicy openfaas-fn/tenants-egress
    NetworkPolicy openfaas/system
    NetworkPolicy openfaas/of-router
    NetworkPolicy openfaas-builder/builder
    "#);
    assert!(!report.render().contains("the payload-secret"));
}

#[test]
fn credentials_of_other_registries_stay_here() {
    let folder = tempfile::tempdir().unwrap();
    let (config, _) = made(folder.path());
    let text = std::fs::read_to_string(config.data().join("10-secrets.yaml")).unwrap();
    let line = text.lines().find_map(|line| line.trim().strip_prefix("\"config.json\": ")).unwrap();
    let written = String::from_utf8(STANDARD.decode(line).unwrap()).unwrap();
    assert_eq!(written, r#"{"auths":{"ghcr.io":{"auth":"YTpi"}}}"#);
}

#[test]
fn the_stack_s_files_are_filled_in() {
    let folder = tempfile::tempdir().unwrap();
    let (config, _) = made(folder.path());
    let mut text = String::new();
    for name in ["gateway_config.yml", "github.yml", "buildshiprun_limits.yml"] {
        text += &std::fs::read_to_string(config.data().join("stack").join(name)).unwrap();
    }
    insta::assert_snapshot!(text, @r#"
    # Made by `ofc init` from ofc.yml; it makes this file again when that changes.
    environment:
      gateway_url: "http://gateway.openfaas:8080/"
      builder_url: "http://of-builder.openfaas-builder:8080/"
      gateway_pretty_url: "https://user.example.com/function"
      customers_path: "/var/openfaas/secrets/customers"
      push_repository_url: "ghcr.io/acme/"
      repository_url: "ghcr.io/acme/"
      build_branch: "live"
      enable_dockerfile_lang: "true"
      prometheus_url: "http://prometheus.openfaas:9090/"
      build_parallelism: "4"
      log_store: "s3"
      function_log_store: "s3"
      audit_store: "s3"
      record_store: "s3"
      s3_url: "minio.openfaas:9000"
      s3_region: "us-east-1"
      s3_bucket: "pipeline"
      s3_tls: "false"
    # Made by `ofc init` from ofc.yml; it makes this file again when that changes.
    environment:
      github_url: "https://github.com"
      github_api_url: "https://api.github.com"
      github_app_id: "4711"
      report_status: "true"
      use_checks: "true"
      use_deployments: "true"
      environment: "production"
    # Made by `ofc init` from ofc.yml; it makes this file again when that changes.
    environment:
      function_memory_limit_mb: "256"
      scale_to_zero: "false"
    "#);
}
