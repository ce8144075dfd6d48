use std::time::Duration;

use http::Method;
use of_gateway::{Config, Scaling, purge};
use serde_json::json;

use crate::bench::{Bench, with};
use crate::own_engine::OwnEngine;
use crate::support::{Running, eventually};

#[tokio::test]
async fn functions_come_back_with_an_engine_that_was_stopped_or_killed() {
    let bench = Bench::set_up().await;
    let mut engine = OwnEngine::start(&bench).await;
    let scaling = Scaling {
        interval: Duration::from_millis(200),
        calm: Duration::from_secs(1),
        hold: Duration::from_millis(500),
    };
    let config = || Config { engine: engine.socket(), scaling, ..bench.config() };
    let (config, purged) = (config(), config());
    let gateway = Running::start(config).await;
    gateway.deployed(&with(bench.spec("steady"), json!({"envVars": {"VERSION": "v1"}}))).await;
    gateway.deployed(&bench.spec("sleeper")).await;
    assert_eq!(gateway.scale("sleeper", 0).await.0, 202);
    for way in ["stop", "kill"] {
        match way {
            "stop" => engine.stop(),
            _ => engine.kill(),
        }
        let (status, text) = gateway.put(&bench.spec("steady")).await;
        assert!(status == 503 && text.contains("does not answer"), "{status}: {text}");
        let queued = gateway.http.post(gateway.at(&format!("/async-function/steady/log/queued-{way}")));
        let queued = queued.send().await.unwrap();
        assert_eq!(queued.status(), 202, "what is queued needs no engine");
        engine.start_again().await;
        eventually(&format!("the function to answer after {way}"), async || {
            (gateway.get("/function/steady/version").await == (200, "v1".to_owned())).then_some(())
        })
        .await;
        eventually("the queued call", async || {
            let log = gateway.system(Method::GET, "/system/logs?name=steady").send().await.ok()?.text().await.ok()?;
            log.contains(&format!("queued-{way}")).then_some(())
        })
        .await;
        assert_eq!(gateway.get("/function/sleeper/version").await.0, 200, "from zero after {way}");
        assert_eq!(gateway.scale("sleeper", 0).await.0, 202);
    }
    gateway.deployed(&with(bench.spec("steady"), json!({"envVars": {"VERSION": "v2"}}))).await;
    assert_eq!(gateway.get("/function/steady/version").await.1, "v2");
    gateway.stop().await;
    purge(&purged).await.unwrap();
}
