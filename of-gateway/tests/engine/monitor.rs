//! What the gateway notices of the engine while it is busy with something else.

use std::time::{Duration, Instant};

use bollard::query_parameters::RestartContainerOptionsBuilder;
use serde_json::json;

use crate::bench::{Bench, with};
use crate::support::{Running, eventually};

/// Two looks at the engine lie within that, however the machine is loaded.
const ROLLOUT: Duration = Duration::from_secs(34);

async fn last_exit(gateway: &Running, name: &str) -> Option<String> {
    let shown = gateway.function(name).await;
    Some(shown["conditions"].as_array()?.iter().find_map(|condition| condition["lastExit"].as_str())?.to_owned())
}

#[tokio::test]
async fn what_happens_to_others_is_noticed_during_a_long_rollout() {
    let bench = Bench::set_up().await;
    let gateway = Running::start(of_gateway::Config { rollout_timeout: ROLLOUT, ..bench.config() }).await;
    gateway.deployed(&bench.spec("phoenix")).await;
    let id = bench.containers(&gateway.instance, "phoenix").await.remove(0).1;
    let slow = with(bench.spec("slow"), json!({"envVars": {"MODE": "unready"}}));
    let rollout = gateway.post(&slow);
    let (mut longest, mut kills) = (Duration::ZERO, 0);
    let ends = async {
        loop {
            let before = last_exit(&gateway, "phoenix").await;
            let killed = Instant::now();
            let at_once = RestartContainerOptionsBuilder::default().t(0).build();
            bench.docker.restart_container(&id, Some(at_once)).await.unwrap();
            eventually("the end to be noticed", async || {
                let now = last_exit(&gateway, "phoenix").await;
                (now.is_some() && now != before).then_some(())
            })
            .await;
            (longest, kills) = (longest.max(killed.elapsed()), kills + 1);
        }
    };
    let (status, text) = tokio::select! {
        outcome = rollout => outcome,
        () = ends => unreachable!("it ends with the rollout"),
    };
    assert_eq!(status, 422, "{text}");
    assert!(kills > 3, "{kills}");
    assert!(longest < Duration::from_secs(8), "noticed after {longest:?}");
    gateway.stop().await;
}
