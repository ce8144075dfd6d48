use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Method;
use serde_json::json;

use crate::bench::{Bench, with};
use crate::support::{answer, eventually};

#[tokio::test]
async fn a_function_is_deployed_called_described_and_removed() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    let spec = with(bench.spec("hello"), json!({"labels": {"a": "b"}, "envVars": {"VERSION": "x"}}));
    assert_eq!(gateway.put(&spec).await.0, 404, "PUT does not create");
    gateway.deployed(&spec).await;
    assert_eq!(gateway.get("/function/hello/version").await, (200, "x".to_owned()));
    let (status, text) =
        answer(gateway.http.post(gateway.at("/function/hello")).body("ping").send().await.unwrap()).await;
    assert_eq!((status, text.as_str()), (200, "ping"));
    let shown = gateway.system_get("/system/function/hello?usage=1").await;
    assert_eq!((&shown["labels"]["a"], &shown["envVars"]["VERSION"]), (&json!("b"), &json!("x")));
    assert_eq!((&shown["replicas"], &shown["availableReplicas"]), (&json!(1), &json!(1)));
    assert!(shown["usage"]["totalMemoryBytes"].as_f64().unwrap() > 100_000.0, "{shown}");
    assert_eq!(shown["invocationCount"], json!(2.0));
    let name = json!({"functionName": "hello"});
    assert_eq!(gateway.system_json(Method::DELETE, "/system/functions", name.clone()).await.0, 202);
    assert_eq!(gateway.get("/function/hello").await.0, 404);
    assert_eq!(gateway.system_json(Method::DELETE, "/system/functions", name).await.0, 404);
    let gone = async || bench.containers(&gateway.instance, "hello").await.is_empty().then_some(());
    eventually("the container to go", gone).await;
    gateway.stop().await;
}

#[tokio::test]
async fn an_update_loses_no_request_and_leaves_one_container() {
    let bench = Bench::set_up().await;
    let gateway = Arc::new(bench.gateway().await);
    let version = |v: &str| with(bench.spec("steady"), json!({"envVars": {"VERSION": v}}));
    gateway.deployed(&version("v1")).await;
    let slow = gateway.http.get(gateway.at("/function/steady/slow")).send();
    let slow = tokio::spawn(slow);
    let caller = Arc::clone(&gateway);
    let load = tokio::spawn(async move {
        let (mut last, mut calls) = (String::new(), 0);
        while last != "v3" {
            let (status, text) = caller.get("/function/steady/version").await;
            assert_eq!(status, 200, "{text}");
            last = text;
            calls += 1;
        }
        calls
    });
    eventually("the slow request to be on its way", async || {
        let shown = gateway.function("steady").await;
        (shown["invocationCount"].as_f64()? >= 2.0).then_some(())
    })
    .await;
    for v in ["v2", "v3"] {
        assert_eq!(gateway.put(&version(v)).await.0, 202);
        assert_eq!(gateway.get("/function/steady/version").await.1, v, "live when the answer came");
    }
    assert!(load.await.unwrap() > 1);
    let slow = slow.await.unwrap().unwrap();
    assert_eq!((slow.status().as_u16(), slow.text().await.unwrap().as_str()), (200, "v1"), "drained, not cut off");
    let one = async || (bench.containers(&gateway.instance, "steady").await.len() == 1).then_some(());
    eventually("one container to be left", one).await;
}

#[tokio::test]
async fn the_same_deployment_again_restarts_nothing_and_a_new_image_does() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    let spec = with(bench.spec("same"), json!({"secrets": ["token"]}));
    let secret = json!({"name": "token", "value": "one"});
    gateway.system_json(Method::POST, "/system/secrets", secret).await;
    gateway.deployed(&spec).await;
    let before = bench.containers(&gateway.instance, "same").await;
    let begun = Instant::now();
    assert_eq!(gateway.put(&spec).await.0, 202);
    assert_eq!(gateway.post(&spec).await.0, 202);
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(bench.containers(&gateway.instance, "same").await, before);

    let secret = json!({"name": "token", "value": "two"});
    gateway.system_json(Method::PUT, "/system/secrets", secret).await;
    assert_eq!(gateway.put(&spec).await.0, 202);
    assert_eq!(gateway.get("/function/same/secret/token").await.1, "two", "a new secret is a change");

    // The tag now names another image.
    let id = bench.docker.inspect_image(&bench.images[1]).await.unwrap().id.unwrap();
    let (name, tag) = bench.images[0].split_once(':').unwrap();
    let options = bollard::query_parameters::TagImageOptionsBuilder::default().repo(name).tag(tag).build();
    bench.docker.tag_image(&id, Some(options)).await.unwrap();
    assert_eq!(gateway.get("/function/same/version").await.1, "one");
    assert_eq!(gateway.put(&spec).await.0, 202);
    assert_eq!(gateway.get("/function/same/version").await.1, "two");
    gateway.stop().await;
}

#[tokio::test]
async fn an_image_is_found_by_its_id_in_every_spelling() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    let id = bench.docker.inspect_image(&bench.images[1]).await.unwrap().id.unwrap();
    let repository = bench.images[0].split_once(':').unwrap().0;
    for (index, image) in
        [id.clone(), format!("{repository}@{id}"), format!("{repository}:one@{id}")].iter().enumerate()
    {
        let name = format!("by-id-{index}");
        gateway.deployed(&json!({"service": name, "image": image})).await;
        assert_eq!(gateway.get(&format!("/function/{name}/version")).await.1, "two", "{image}");
        assert_eq!(gateway.function(&name).await["image"], *image);
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_function_scales_up_down_to_zero_and_back() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    gateway.deployed(&bench.spec("elastic")).await;
    assert_eq!(gateway.scale("elastic", 3).await.0, 202);
    assert_eq!(gateway.function("elastic").await["availableReplicas"], 3);
    assert_eq!(bench.containers(&gateway.instance, "elastic").await.len(), 3);
    assert_eq!(gateway.scale("elastic", 1).await.0, 202);
    let one = async || (bench.containers(&gateway.instance, "elastic").await.len() == 1).then_some(());
    eventually("one replica", one).await;
    assert_eq!(gateway.scale("elastic", 0).await.0, 202);
    let parked = bench.containers(&gateway.instance, "elastic").await;
    assert!(parked.len() == 1 && parked[0].0.ends_with("-zero") && parked[0].2 == "exited", "{parked:?}");
    assert_eq!(gateway.function("elastic").await.get("replicas"), None, "zero is left out");
    gateway.stop().await;

    let gateway = bench.gateway().await;
    assert_eq!(gateway.function("elastic").await.get("replicas"), None, "still at zero after a restart");
    assert_eq!(gateway.scale("elastic", 2).await.0, 202);
    assert_eq!(gateway.get("/function/elastic/version").await.1, "one");
    assert_eq!(bench.containers(&gateway.instance, "elastic").await.len(), 2);
    assert_eq!(gateway.scale("nobody", 1).await.0, 404);
    assert_eq!(gateway.scale("elastic", 33).await.0, 400);
    gateway.stop().await;
}

#[tokio::test]
async fn logs_come_as_lines_and_are_followed() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    gateway.deployed(&bench.spec("chatty")).await;
    for word in ["alpha", "beta", "gamma"] {
        gateway.get(&format!("/function/chatty/log/{word}")).await;
    }
    let lines =
        |text: &str| -> Vec<serde_json::Value> { text.lines().map(|l| serde_json::from_str(l).unwrap()).collect() };
    let read = |query: &str| gateway.system(Method::GET, &format!("/system/logs?name=chatty{query}")).send();
    let all = eventually("all lines", async || {
        let all = lines(&read("").await.unwrap().text().await.unwrap());
        (all.last()?["text"] == "gamma").then_some(all)
    })
    .await;
    assert_eq!(all[0]["text"], "starting in mode ok");
    assert_eq!((&all[0]["name"], &all[0]["namespace"]), (&json!("chatty"), &json!("openfaas-fn")));
    let tail = lines(&read("&tail=2").await.unwrap().text().await.unwrap());
    assert_eq!(tail.iter().map(|l| l["text"].as_str().unwrap()).collect::<Vec<_>>(), ["beta", "gamma"]);
    let since = all.last().unwrap()["timestamp"].as_str().unwrap();
    let late = lines(&read(&format!("&since={since}")).await.unwrap().text().await.unwrap());
    assert_eq!(late.len(), 1);
    let instance = all[0]["instance"].as_str().unwrap();
    assert!(!read(&format!("&instance={instance}")).await.unwrap().text().await.unwrap().is_empty());
    assert!(read("&instance=nobody").await.unwrap().text().await.unwrap().is_empty());

    let mut followed = read("&follow=1&tail=1").await.unwrap();
    assert_eq!(followed.headers()["content-type"], "application/x-ndjson");
    assert_eq!(lines(std::str::from_utf8(&followed.chunk().await.unwrap().unwrap()).unwrap())[0]["text"], "gamma");
    gateway.get("/function/chatty/log/delta").await;
    assert_eq!(lines(std::str::from_utf8(&followed.chunk().await.unwrap().unwrap()).unwrap())[0]["text"], "delta");
    gateway.stop().await;
    assert!(!matches!(followed.chunk().await, Ok(Some(_))), "the log ends with the gateway");
}
