//! The environment files of the stack, filled in: faas-cli reads them beside `stack.yml`.

use crate::config_file::{AppRecord, ConfigFile, Source, Store, quoted};

use super::MADE;

/// The names and texts of all files that differ between installations.
pub(super) fn files(config: &ConfigFile, app: Option<&AppRecord>) -> Vec<(&'static str, String)> {
    let mut all = vec![("gateway_config.yml", text(&gateway(config)))];
    if !config.limits.is_empty() || !config.scale_to_zero {
        let limits =
            config.limits.iter().filter(|(name, _)| name.starts_with("function_") || name.starts_with("scaling_"));
        let mut limits: Vec<_> = limits.map(|(name, number)| (*name, number.to_string())).collect();
        limits.push(("scale_to_zero", config.scale_to_zero.to_string()));
        all.push(("buildshiprun_limits.yml", text(&limits)));
    }
    match &config.source {
        Source::Local => {}
        Source::Github(github) => {
            let mut lines = vec![("github_url", github.url.as_str().trim_end_matches('/').to_owned())];
            lines.push(("github_api_url", github.api_url.as_str().trim_end_matches('/').to_owned()));
            let id = github.app.id.or_else(|| app.map(|app| app.id));
            lines.extend(id.map(|id| ("github_app_id", id.to_string())));
            lines.extend([("report_status", "true".into()), ("use_checks", "true".into())]);
            lines.extend([("use_deployments", "true".into()), ("environment", "production".to_owned())]);
            all.push(("github.yml", text(&lines)));
        }
        Source::Gitlab(gitlab) => {
            let mut lines = vec![("gitlab_instance", gitlab.url.to_string())];
            lines.extend(gitlab.topic.iter().map(|topic| ("installation_tag", topic.clone())));
            all.push(("gitlab_config.yml", text(&lines)));
        }
    }
    all
}

/// Where OpenFaaS' own installation has it.
const PROMETHEUS: &str = "http://prometheus.openfaas:9090/";

fn gateway(config: &ConfigFile) -> Vec<(&'static str, String)> {
    let mut all = vec![
        ("gateway_url", "http://gateway.openfaas:8080/".to_owned()),
        ("builder_url", format!("http://of-builder.{}:8080/", super::kubernetes::BUILDER)),
        ("gateway_pretty_url", format!("{}/function", config.public_url("user"))),
        ("customers_path", "/var/openfaas/secrets/customers".to_owned()),
    ];
    if let Some(registry) = &config.registry {
        all.extend(["push_repository_url", "repository_url"].map(|name| (name, registry.prefix.clone())));
    }
    all.extend(config.build_branch.iter().map(|branch| ("build_branch", branch.clone())));
    if !config.templates.is_empty() {
        all.push(("custom_templates", config.templates.join(",")));
    }
    all.push(("enable_dockerfile_lang", config.dockerfiles.to_string()));
    let prometheus = config.prometheus.as_ref().map_or(PROMETHEUS, |url| url.as_str());
    all.push(("prometheus_url", prometheus.to_owned()));
    let others = config.limits.iter().filter(|(name, _)| matches!(*name, "max_functions" | "build_parallelism"));
    all.extend(others.map(|(name, number)| (*name, number.to_string())));
    if let Store::S3 { url, region, bucket } = &config.store {
        let host = url.host_str().unwrap_or_default();
        let address = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let stores = ["log_store", "function_log_store", "audit_store", "record_store"];
        all.extend(stores.map(|store| (store, "s3".to_owned())));
        all.extend([("s3_url", address), ("s3_region", region.clone()), ("s3_bucket", bucket.clone())]);
        all.push(("s3_tls", (url.scheme() == "https").to_string()));
    }
    all
}

fn text(lines: &[(&'static str, String)]) -> String {
    let lines: String = lines.iter().map(|(name, value)| format!("  {name}: {}\n", quoted(value))).collect();
    format!("{MADE}\nenvironment:\n{lines}")
}
