//! What faas-cli says to a gateway, request by request, and the codes that it goes by.
#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use end_to_end::{Answer, Platform, Repository, login, platform, until};
use reqwest::Method;
use serde_json::{Value, json};

/// An image that is there: the one of a function that was pushed.
fn image(platform: &Platform) -> (Repository, String) {
    let repository = Repository::with(&login("alice"), "app", &[("a", "one")]);
    repository.deploy(platform);
    let function = platform.function(&format!("{}-a", repository.owner())).unwrap();
    let image = function["image"].as_str().unwrap().to_owned();
    (repository, image)
}

fn ask(platform: &Platform, method: Method, path: &str, body: Option<Value>) -> Answer {
    let request = platform.to_gateway(method, path).header("content-type", "application/json");
    platform.send(match body {
        Some(body) => request.body(body.to_string()),
        None => request,
    })
}

#[test]
fn deploy_list_describe_invoke_scale_and_remove() {
    let platform = platform!();
    let (_repository, image) = image(&platform);
    let deployment = json!({"service": "wire", "image": image, "envProcess": "", "envVars": {"greeting": "hi"},
        "labels": {"mine": "yes"}, "annotations": {"note": "kept"}, "secrets": [], "limits": null, "readOnlyRootFilesystem": true});
    let put = ask(&platform, Method::PUT, "/system/functions", Some(deployment.clone()));
    assert_eq!(put.status, 404, "an update of what is not there: {}", put.text);
    let post = ask(&platform, Method::POST, "/system/functions", Some(deployment.clone()));
    assert!([200, 202].contains(&post.status), "{}", post.text);
    let again = ask(&platform, Method::PUT, "/system/functions", Some(deployment));
    assert!([200, 202].contains(&again.status), "{}", again.text);

    let list = ask(&platform, Method::GET, "/system/functions", None).json();
    let listed = list.as_array().unwrap().iter().find(|function| function["name"] == "wire").unwrap();
    assert_eq!((&listed["replicas"], &listed["labels"]["mine"]), (&json!(1), &json!("yes")), "{listed}");
    let described = ask(&platform, Method::GET, "/system/function/wire?usage=1", None).json();
    assert_eq!(described["availableReplicas"], 1, "{described}");
    assert!(described["usage"]["totalMemoryBytes"].as_f64().is_some_and(|bytes| bytes > 0.0), "{described}");
    assert_eq!(ask(&platform, Method::GET, "/system/function/none", None).status, 404);

    let invoked = ask(&platform, Method::POST, "/function/wire/echo", Some(json!({"a": 1})));
    assert_eq!((invoked.status, invoked.text.as_str()), (200, "{\"a\":1}"));
    assert!(ask(&platform, Method::GET, "/function/wire/env", None).text.contains("greeting=hi\n"));
    assert_eq!(ask(&platform, Method::POST, "/async-function/wire", Some(json!({}))).status, 202);
    assert_eq!(ask(&platform, Method::GET, "/function/none", None).status, 404);

    for replicas in [2, 1, 0, 1] {
        let body = json!({"serviceName": "wire", "replicas": replicas});
        assert_eq!(ask(&platform, Method::POST, "/system/scale-function/wire", Some(body)).status, 202);
        // A number that is 0 is left out.
        let available = || platform.function("wire").unwrap()["availableReplicas"].as_u64().unwrap_or_default();
        until(&format!("there are {replicas} replicas"), || available() == replicas);
    }
    let remove = |name: &str| ask(&platform, Method::DELETE, "/system/functions", Some(json!({"functionName": name})));
    assert_eq!(remove("wire").status, 202);
    until("its containers are gone", || platform.containers().iter().all(|container| container.function != "wire"));
    assert_eq!(remove("wire").status, 404);
    assert_eq!(ask(&platform, Method::GET, "/function/wire", None).status, 404);
}

#[test]
fn secrets_are_made_listed_mounted_changed_and_deleted() {
    let platform = platform!();
    let secret = |method: Method, value: &str| {
        ask(&platform, method, "/system/secrets", Some(json!({"name": "wire-key", "value": value}))).status
    };
    let names = || ask(&platform, Method::GET, "/system/secrets", None).json().to_string();
    assert_eq!(secret(Method::PUT, "early"), 404);
    assert!([200, 201, 202].contains(&secret(Method::POST, "opensesame")));
    assert_eq!(secret(Method::POST, "again"), 409);
    assert!(names().contains("wire-key") && !names().contains("opensesame"), "{}", names());
    let (_repository, image) = image(&platform);
    let deployment = json!({"service": "wire", "image": image, "secrets": ["wire-key"]});
    let deployed = ask(&platform, Method::POST, "/system/functions", Some(deployment));
    assert!([200, 202].contains(&deployed.status), "{}", deployed.text);
    let id = platform.container("wire").id;
    let mounts = platform.engine().inspect(&id).mounts.unwrap_or_default();
    let mounted = mounts.iter().find(|mount| mount.destination.as_deref() == Some("/var/openfaas/secrets/wire-key"));
    assert_eq!(mounted.and_then(|mount| mount.rw), Some(false), "{mounts:?}");
    let missing = json!({"service": "wire2", "image": "x", "secrets": ["none"]});
    let refused = ask(&platform, Method::POST, "/system/functions", Some(missing));
    assert_eq!((refused.status, refused.text.contains("none")), (400, true), "{}", refused.text);
    assert!([200, 202].contains(&secret(Method::PUT, "changed")));
    assert!([200, 202].contains(&secret(Method::DELETE, "")));
    assert_eq!(secret(Method::DELETE, ""), 404);
    assert!(!names().contains("wire-key"));
}

#[test]
fn a_followed_log_shows_what_is_written_while_it_is_followed() {
    let platform = platform!();
    let (repository, _) = image(&platform);
    let name = format!("{}-a", repository.owner());
    let mut stream = TcpStream::connect(platform.gateway()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let request = platform.to_gateway(Method::GET, "/").build().unwrap();
    let authorization = request.headers()["authorization"].to_str().unwrap().to_owned();
    write!(
        stream,
        "GET /system/logs?name={name}&follow=1&tail=10 HTTP/1.1\r\nHost: gateway\r\nAuthorization: {authorization}\r\n\r\n"
    )
    .unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    assert!(lines.next().unwrap().contains("200"));
    let mut texts = lines.filter_map(|line| serde_json::from_str::<Value>(&line).ok()).filter_map(|line| {
        assert_eq!(line["name"], name);
        line["text"].as_str().map(str::to_owned)
    });
    assert_eq!(texts.next().as_deref(), Some("serving"), "what was written before");
    platform.get(repository.owner(), "/a/something");
    assert!(texts.any(|text| text.contains("asked for /something")), "what is written now");
    assert_eq!(ask(&platform, Method::GET, "/system/logs?name=none", None).status, 404);
}

#[test]
fn what_faas_cli_asks_before_it_does_anything() {
    let platform = platform!();
    let info = ask(&platform, Method::GET, "/system/info", None);
    assert_eq!(info.status, 200);
    assert!(info.json()["provider"]["orchestration"].is_string(), "{}", info.text);
    assert_eq!(ask(&platform, Method::GET, "/system/namespaces", None).json(), json!(["openfaas-fn"]));
    assert_eq!(platform.send(reqwest::Client::new().get(format!("http://{}/healthz", platform.gateway()))).status, 200);
    let anonymous = reqwest::Client::new().get(format!("http://{}/system/functions", platform.gateway()));
    let refused = platform.send(anonymous);
    assert_eq!(refused.status, 401);
    assert!(refused.headers.contains_key("www-authenticate"));
}
