use bollard::query_parameters::{
    KillContainerOptionsBuilder, RemoveContainerOptionsBuilder, StopContainerOptionsBuilder,
};

use crate::bench::Bench;
use crate::support::{Running, eventually};

async fn answers_again(gateway: &Running, name: &str) {
    let path = format!("/function/{name}/version");
    eventually("the function to answer again", async || (gateway.get(&path).await.0 == 200).then_some(())).await;
}

#[tokio::test]
async fn a_container_that_crashes_is_killed_stopped_or_removed_comes_back() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    gateway.deployed(&bench.spec("phoenix")).await;
    let id = async || bench.containers(&gateway.instance, "phoenix").await.remove(0).1;
    let started = async |id: &str| {
        let inspected = bench.docker.inspect_container(id, None).await.ok()?;
        let state = inspected.state?;
        state.running.unwrap_or(false).then(|| state.started_at.unwrap_or_default())
    };
    let first = id().await;
    for way in ["crash", "kill", "stop"] {
        let before = started(&first).await;
        match way {
            "crash" => drop(gateway.get("/function/phoenix/crash").await),
            "kill" => {
                let options = KillContainerOptionsBuilder::default().signal("KILL").build();
                bench.docker.kill_container(&first, Some(options)).await.unwrap();
            }
            _ => {
                let options = StopContainerOptionsBuilder::default().t(1).build();
                bench.docker.stop_container(&first, Some(options)).await.unwrap();
            }
        }
        eventually(&format!("a new start after {way}"), async || {
            let now = started(&first).await;
            (now.is_some() && now != before).then_some(())
        })
        .await;
        answers_again(&gateway, "phoenix").await;
        assert_eq!(id().await, first, "{way} keeps the container");
    }
    let options = RemoveContainerOptionsBuilder::default().force(true).build();
    bench.docker.remove_container(&first, Some(options)).await.unwrap();
    eventually("a new container", async || {
        let found = bench.containers(&gateway.instance, "phoenix").await;
        (found.len() == 1 && found[0].1 != first && !found[0].0.ends_with("-new")).then_some(())
    })
    .await;
    answers_again(&gateway, "phoenix").await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_restarted_gateway_takes_everything_over() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    gateway.deployed(&bench.spec("kept")).await;
    assert_eq!(gateway.scale("kept", 2).await.0, 202);
    let before = bench.containers(&gateway.instance, "kept").await;
    let shown = gateway.function("kept").await;
    gateway.stop().await;
    for (_, id, _) in &before[..1] {
        bench.docker.stop_container(id, Some(StopContainerOptionsBuilder::default().t(1).build())).await.unwrap();
    }
    let gateway = bench.gateway().await;
    assert_eq!(gateway.get("/function/kept/version").await, (200, "one".to_owned()), "served from the first moment on");
    eventually("the stopped replica", async || {
        (gateway.function("kept").await["availableReplicas"] == 2).then_some(())
    })
    .await;
    let mut ids = bench.containers(&gateway.instance, "kept").await.into_iter().map(|c| c.1).collect::<Vec<_>>();
    let mut expected = before.into_iter().map(|c| c.1).collect::<Vec<_>>();
    ids.sort();
    expected.sort();
    assert_eq!(ids, expected);
    assert_eq!(gateway.function("kept").await["createdAt"], shown["createdAt"]);
    assert_eq!(gateway.put(&bench.spec("kept")).await.0, 202);
    let mut after = bench.containers(&gateway.instance, "kept").await.into_iter().map(|c| c.1).collect::<Vec<_>>();
    after.sort();
    assert_eq!(after, expected, "the same deployment is known as such after a restart");
    gateway.stop().await;
}

#[tokio::test]
async fn purge_removes_what_is_ours_and_nothing_else() {
    let (bench, other) = (Bench::set_up().await, Bench::set_up().await);
    let (gateway, neighbour) = (bench.gateway().await, other.gateway().await);
    gateway.deployed(&bench.spec("mine")).await;
    neighbour.deployed(&other.spec("mine")).await;
    let instance = gateway.instance.clone();
    gateway.stop().await;
    let removed = of_gateway::purge(&bench.config()).await.unwrap();
    assert_eq!((removed.containers, removed.networks), (1, 1));
    assert!(bench.containers(&instance, "mine").await.is_empty());
    assert_eq!(neighbour.get("/function/mine/version").await.0, 200);
    let again = of_gateway::purge(&bench.config()).await.unwrap();
    assert_eq!((again.containers, again.networks), (0, 0));
    neighbour.stop().await;
}
