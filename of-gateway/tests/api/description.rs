//! What the gateway says of itself.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use serde_json::Value;

use crate::support::Running;
use crate::without_engine;

/// Operations that the published description of the OpenFaaS gateway names, with their ids. It also has `/metrics`,
/// which is on a port of its own.
const OPERATIONS: [(&str, &str, &str); 20] = [
    ("get", "/healthz", "healthcheck"),
    ("get", "/system/info", "GetSystemInfo"),
    ("post", "/system/alert", "ScaleAlert"),
    ("get", "/system/functions", "GetFunctions"),
    ("put", "/system/functions", "UpdateFunction"),
    ("post", "/system/functions", "DeployFunction"),
    ("delete", "/system/functions", "DeleteFunction"),
    ("post", "/system/scale-function/{functionName}", "ScaleFunction"),
    ("get", "/system/function/{functionName}", "GetFunctionStatus"),
    ("get", "/system/secrets", "ListSecrets"),
    ("put", "/system/secrets", "UpdateSecret"),
    ("post", "/system/secrets", "CreateSecret"),
    ("delete", "/system/secrets", "DeleteSecret"),
    ("get", "/system/logs", "GetFunctionLogs"),
    ("get", "/system/namespaces", "ListNamespaces"),
    ("post", "/async-function/{functionName}", "InvokeAsync"),
    ("post", "/async-function/{functionName}.{namespace}", "InvokeAsyncNamespaced"),
    ("post", "/function/{functionName}", "InvokeFunction"),
    ("post", "/function/{functionName}.{namespace}", "InvokeFunctionNamespaced"),
    // Not published, but what faas-cli calls.
    ("post", "/system/namespace/", "CreateNamespace"),
];

/// Members of its schemas, by the schema's name; an exclamation mark after those that are always there.
const MEMBERS: [(&str, &str); 16] = [
    ("GatewayInfo", "provider! version! arch!"),
    ("VersionInfo", "sha! release! commit_message"),
    ("ProviderInfo", "provider! orchestration! version!"),
    ("PrometheusAlert", "status! receiver! alerts!"),
    ("PrometheusInnerAlert", "status! labels!"),
    ("PrometheusInnerAlertLabel", "alertname function_name"),
    (
        "FunctionDeployment",
        "service! image! namespace envProcess constraints envVars secrets labels annotations limits requests \
         readOnlyRootFilesystem registryAuth network",
    ),
    (
        "FunctionStatus",
        "name! image namespace envProcess envVars constraints secrets labels annotations limits requests \
         readOnlyRootFilesystem invocationCount replicas availableReplicas createdAt usage",
    ),
    ("FunctionResources", "memory cpu"),
    ("FunctionUsage", "cpu totalMemoryBytes"),
    ("DeleteFunctionRequest", "functionName! namespace"),
    ("ScaleServiceRequest", "serviceName namespace replicas!"),
    ("SecretDescription", "name! namespace"),
    ("Secret", "name! namespace value rawValue fileName"),
    ("LogEntry", "name! namespace! instance! timestamp! text!"),
    ("FunctionNamespace", "name labels annotations"),
];

/// Parameters of its operations.
const PARAMETERS: [(&str, &str); 4] = [
    ("GetFunctionStatus", "functionName namespace"),
    ("ScaleFunction", "functionName"),
    ("GetFunctionLogs", "name namespace instance tail follow since"),
    ("InvokeFunctionNamespaced", "functionName namespace"),
];

#[expect(clippy::unwrap_used, reason = "test helper")]
fn operations(description: &Value) -> BTreeMap<(String, String), Value> {
    let paths = description["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &Value)| -> Vec<_> {
        let each = item.as_object().unwrap().iter();
        each.map(|(method, operation)| ((method.clone(), path.clone()), operation.clone())).collect()
    };
    paths.iter().flat_map(of_path).collect()
}

fn words(text: &str) -> impl Iterator<Item = (&str, bool)> {
    text.split_whitespace().map(|word| (word.trim_end_matches('!'), word.ends_with('!')))
}

#[tokio::test]
async fn what_others_published_is_described_under_the_same_names() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Running::start(without_engine(dir.path(), [])).await;
    let (status, text) = gateway.get("/openapi.json").await;
    assert_eq!(status, 200, "without credentials");
    let description: Value = serde_json::from_str(&text).unwrap();
    let all = operations(&description);
    for (method, path, id) in OPERATIONS {
        let operation = all.get(&(method.to_owned(), path.to_owned()));
        assert_eq!(operation.map(|operation| operation["operationId"].as_str()), Some(Some(id)), "{method} {path}");
    }
    for (schema, members) in MEMBERS {
        let described = &description["components"]["schemas"][schema];
        for (member, required) in words(members) {
            assert!(described["properties"].get(member).is_some(), "{schema}.{member}");
            let is_required = described["required"].as_array().is_some_and(|all| all.iter().any(|name| name == member));
            assert_eq!(is_required, required, "whether {schema}.{member} is always there");
        }
    }
    for (id, names) in PARAMETERS {
        let operation = all.values().find(|operation| operation["operationId"] == id).unwrap();
        let described: BTreeSet<_> = operation["parameters"]
            .as_array()
            .unwrap()
            .iter()
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        assert!(words(names).all(|(name, _)| described.contains(name)), "{id}: {described:?}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn each_described_operation_is_there_and_asks_for_credentials_where_it_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Running::start(without_engine(dir.path(), [])).await;
    let description: Value = serde_json::from_str(&gateway.get("/openapi.json").await.1).unwrap();
    let mut ids = BTreeSet::new();
    for ((method, path), operation) in operations(&description) {
        let at = format!("{method} {path}");
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{at} has an id of its own");
        assert!(operation["summary"].is_string() && operation["tags"].is_array(), "{at} is explained");
        let real = path.replace("{functionName}", "nobody").replace("{namespace}", "nowhere").replace("{id}", "1");
        let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
        let anonymous = gateway.http.request(method.clone(), gateway.at(&real)).send().await.unwrap();
        let secured = operation.get("security").is_some();
        assert_eq!(anonymous.status() == 401, secured, "{at}");
        assert_eq!(secured, path.starts_with("/system/") || at.starts_with("delete /async-function/"), "{at}");
        let answer = gateway.system(method, &real).send().await.unwrap();
        let status = answer.status().as_u16().to_string();
        let described = operation["responses"].as_object().unwrap();
        assert!(described.contains_key(&status) || described.contains_key("default"), "{at} answers {status}");
        assert!(!answer.text().await.unwrap().contains("no such route"), "{at}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn each_reference_leads_somewhere() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Running::start(without_engine(dir.path(), [])).await;
    let text = gateway.get("/openapi.json").await.1;
    let description: Value = serde_json::from_str(&text).unwrap();
    let references: BTreeSet<_> =
        text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(references.len() > 10);
    for reference in references {
        assert!(description.pointer(reference).is_some(), "{reference}");
    }
    assert!(description["components"]["securitySchemes"]["basicAuth"].is_object());
    let replicas = &description["components"]["schemas"]["ScaleServiceRequest"]["properties"]["replicas"];
    assert_eq!((&replicas["minimum"], replicas["maximum"].as_u64()), (&serde_json::json!(0), Some(32)));
    gateway.stop().await;
}

#[tokio::test]
async fn a_person_who_comes_by_is_told_what_this_is() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Running::start(without_engine(dir.path(), [])).await;
    let root = gateway.http.get(gateway.at("/")).send().await.unwrap();
    assert_eq!((root.status().as_u16(), &root.headers()["location"]), (307, &"/ui/".parse().unwrap()));
    let page = gateway.http.get(gateway.at("/ui/")).send().await.unwrap();
    assert!(page.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    assert!(page.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    let text = page.text().await.unwrap();
    assert!(text.contains("faas-cli login") && text.contains("/openapi.json"), "{text}");
    gateway.stop().await;
}
