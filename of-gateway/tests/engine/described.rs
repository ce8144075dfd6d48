//! The description that the gateway serves, held against the gateway by schemathesis: it makes good and bad requests
//! out of the description and judges the answers by it.

use std::process::Output;
use std::time::Duration;

use http::Method;
use of_gateway::Config;
use serde_json::json;
use tokio::process::Command;

use crate::bench::{Bench, with};
use crate::support::{PASSWORD, Running, USER};

const SETTINGS: &str = include_str!("schemathesis.toml");
const HINT: &str = "schemathesis does not start: run scripts/setup test, which installs that Python package";
const DESCRIPTION: &str = "openapi.json";
/// The description's example of an image; one that is there takes its place, because the tool deploys it.
const EXAMPLE: &str = "ghcr.io/openfaas/nodeinfo:latest";
/// Requests made up per operation, besides those for each bound and each member.
const EXAMPLES: &str = "8";

#[tokio::test]
async fn the_gateway_is_as_it_describes_itself() {
    let bench = Bench::set_up().await;
    let seconds = Duration::from_secs;
    // A followed log, a slow function and a pull from nowhere end before the tool loses patience.
    let config =
        Config { log_timeout: seconds(1), upstream_timeout: seconds(5), pull_timeout: seconds(2), ..bench.config() };
    let gateway = Running::start(config).await;
    let made = gateway.system_json(Method::POST, "/system/namespace/", json!({"name": "staging"})).await;
    assert_eq!(made.0, 201, "{}", made.1);
    for namespace in ["openfaas-fn", "staging"] {
        let secret = json!({"name": "key", "namespace": namespace, "value": "v"});
        assert_eq!(gateway.system_json(Method::POST, "/system/secrets", secret).await.0, 202);
        gateway.deployed(&with(bench.spec("steady"), json!({"namespace": namespace}))).await;
    }
    let description = gateway.get("/openapi.json").await.1;
    assert!(description.contains(EXAMPLE), "the description gives an example of an image");
    std::fs::write(bench.dir.path().join(DESCRIPTION), description.replace(EXAMPLE, &bench.images[0])).unwrap();
    std::fs::write(bench.dir.path().join("schemathesis.toml"), SETTINGS.replace("IMAGE", &bench.images[0])).unwrap();
    let judged = judge(&gateway, bench.dir.path()).await;
    let report = String::from_utf8_lossy(&judged.stdout);
    assert!(judged.status.success(), "{report}{}", String::from_utf8_lossy(&judged.stderr));
    assert!(report.contains("No issues found"), "{report}");
    gateway.stop().await;
}

/// All checks, in every phase, the same requests each time. The tool finds its settings in the directory.
#[expect(clippy::expect_used, reason = "test helper")]
async fn judge(gateway: &Running, dir: &std::path::Path) -> Output {
    let auth = format!("{USER}:{PASSWORD}");
    Command::new("schemathesis")
        .args(["--no-color", "run", DESCRIPTION, "--url", &gateway.url, "--auth", &auth])
        .args(["--checks", "all", "--generation-deterministic", "--max-examples", EXAMPLES])
        .args(["--request-timeout", "30", "--warnings", "off"])
        .current_dir(dir)
        .kill_on_drop(true)
        .output()
        .await
        .expect(HINT)
}
