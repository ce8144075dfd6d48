use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::bench::{Bench, SOCKET, with};
use crate::support::eventually;
use crate::support::program::{Program, Start};

/// The program, over this test's engine and directory.
async fn start(bench: &Bench) -> Program {
    Start::new(bench.dir.path(), SOCKET).run().await
}

pub(crate) async fn deploy(program: &Program, spec: &Value) -> Option<u16> {
    let request = program.system(Method::POST, "/system/functions").json(spec);
    Some(request.send().await.ok()?.status().as_u16())
}

async fn version(program: &Program) -> Option<String> {
    let response = program.http.get(format!("{}/function/victim/version", program.url)).send().await.ok()?;
    response.error_for_status().ok()?.text().await.ok()
}

#[tokio::test]
async fn killed_at_any_moment_of_a_deployment_there_is_one_container_after_it() {
    let bench = Bench::set_up().await;
    let spec = |v: usize| with(bench.spec("victim"), json!({"envVars": {"VERSION": v.to_string()}}));
    let mut program = start(&bench).await;
    assert_eq!(deploy(&program, &spec(0)).await, Some(202));
    let mut before = 0;
    for round in 1..=12 {
        // A deployment takes some 300 to 600 ms here; the moments of death lie all over it.
        let spec = spec(round);
        let outcome = tokio::time::timeout(Duration::from_millis(60 * round as u64), deploy(&program, &spec)).await;
        drop(program);
        program = start(&bench).await;
        let live = eventually("the function to answer", async || version(&program).await).await;
        let live: usize = live.parse().unwrap();
        assert!(live == before || live == round, "version {live} after {before} and {round}");
        if outcome == Ok(Some(202)) {
            assert_eq!(live, round, "what was answered with 202 is live");
        }
        let instance = std::fs::read_to_string(bench.dir.path().join("instance")).unwrap();
        let found = bench.containers(instance.trim(), "victim").await;
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(!found[0].0.ends_with("-new") && found[0].2 == "running", "{found:?}");
        before = live;
    }
}
