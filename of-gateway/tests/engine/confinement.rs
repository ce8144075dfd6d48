use std::os::unix::fs::PermissionsExt as _;

use http::Method;
use serde_json::json;

use crate::bench::{Bench, with};

#[expect(clippy::unwrap_used, reason = "test helper")]
async fn mtu(bench: &Bench, network: &str) -> Option<String> {
    let network = bench.docker.inspect_network(network, None).await.unwrap();
    network.options.unwrap_or_default().remove("com.docker.network.driver.mtu")
}

#[tokio::test]
async fn a_container_is_confined() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    let secret = json!({"name": "api-key", "value": "s3cret"});
    assert_eq!(gateway.system_json(Method::POST, "/system/secrets", secret).await.0, 202);
    let limits = json!({"memory": "64Mi", "cpu": "250m"});
    let spec = json!({"secrets": ["api-key"], "limits": limits, "envProcess": "run me", "envVars": {"A": "b=c"}});
    gateway.deployed(&with(bench.spec("jail"), spec)).await;
    let get = async |path: &str| gateway.get(&format!("/function/jail{path}")).await;

    assert_eq!(get("/secret/api-key").await, (200, "s3cret".to_owned()));
    assert_eq!(get("/write/var/openfaas/secrets/api-key").await.0, 403);
    assert_eq!(get("/write/anywhere").await.0, 403);
    assert_eq!(get("/write/tmp/file").await.0, 200);
    assert_eq!(get("/env/fprocess").await.1, "run me");
    assert_eq!(get("/env/A").await.1, "b=c");
    assert_eq!(get("/env/OPENFAAS_NAME").await.1, "jail");
    let status = get("/status").await.1;
    for line in ["CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"] {
        assert!(status.contains(line), "{line} is missing in {status}");
    }

    let (name, id, _) = bench.containers(&gateway.instance, "jail").await.remove(0);
    assert!(name.starts_with(&format!("/of-{}-jail.openfaas-fn-", gateway.instance)), "{name}");
    let inspected = bench.docker.inspect_container(&id, None).await.unwrap();
    let host = inspected.host_config.unwrap();
    assert_eq!((host.memory, host.memory_swap), (Some(64 << 20), Some(64 << 20)));
    assert_eq!((host.nano_cpus, host.pids_limit), (Some(250_000_000), Some(256)));
    assert_eq!((host.readonly_rootfs, host.init, host.privileged), (Some(true), Some(true), Some(false)));
    assert_eq!(host.restart_policy.unwrap().name.unwrap().to_string(), "unless-stopped");
    assert!(host.port_bindings.unwrap_or_default().is_empty(), "no port is published");
    let log = host.log_config.unwrap().config.unwrap();
    assert_eq!((log["max-size"].as_str(), log["max-file"].as_str()), ("10m", "3"));
    let network = format!("of-{}", gateway.instance);
    assert_eq!(host.network_mode.unwrap(), network);
    assert_eq!(mtu(&bench, &network).await, mtu(&bench, "bridge").await, "no packet is too large for the uplink");
    assert!(!format!("{:?}", inspected.config).contains("s3cret"), "no secret in environment or labels");
    let dir = std::fs::metadata(bench.dir.path().join("secrets/openfaas-fn")).unwrap();
    assert_eq!(dir.permissions().mode() & 0o777, 0o700);
    gateway.stop().await;
}

#[tokio::test]
async fn functions_do_not_reach_each_other_past_the_gateway() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    gateway.deployed(&bench.spec("one")).await;
    gateway.deployed(&bench.spec("two")).await;
    let (_, id, _) = bench.containers(&gateway.instance, "two").await.remove(0);
    let networks = bench.docker.inspect_container(&id, None).await.unwrap().network_settings.unwrap().networks.unwrap();
    let address = networks[&format!("of-{}", gateway.instance)].ip_address.clone().unwrap();
    assert_eq!(gateway.get(&format!("/function/one/reach/{address}:8080")).await.1, "not reached");
    assert_eq!(gateway.get("/function/one/reach/127.0.0.1:8080").await.1, "reached", "the question itself works");
    assert_eq!(gateway.get("/function/two/version").await, (200, "one".to_owned()), "the gateway reaches both");
    gateway.stop().await;
}

#[tokio::test]
async fn a_writable_root_is_given_where_it_is_asked_for() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    gateway.deployed(&with(bench.spec("loose"), json!({"readOnlyRootFilesystem": false}))).await;
    let (_, id, _) = bench.containers(&gateway.instance, "loose").await.remove(0);
    let host = bench.docker.inspect_container(&id, None).await.unwrap().host_config.unwrap();
    assert_eq!(host.readonly_rootfs, Some(false));
    assert_eq!(gateway.function("loose").await.get("readOnlyRootFilesystem"), None);
    gateway.stop().await;
}

#[tokio::test]
async fn a_published_port_reaches_a_container_too() {
    let bench = Bench::set_up().await;
    let config = of_gateway::Config { reach: of_gateway::Reach::PublishedPort, ..bench.config() };
    let gateway = crate::support::Running::start(config.clone()).await;
    gateway.deployed(&bench.spec("port")).await;
    assert_eq!(gateway.get("/function/port/version").await, (200, "one".to_owned()));
    let (_, id, _) = bench.containers(&gateway.instance, "port").await.remove(0);
    let ports = bench.docker.inspect_container(&id, None).await.unwrap().network_settings.unwrap().ports.unwrap();
    let binding = &ports["8080/tcp"].as_ref().unwrap()[0];
    assert_eq!(binding.host_ip.as_deref(), Some("127.0.0.1"));
    gateway.stop().await;
    let gateway = crate::support::Running::start(config).await;
    assert_eq!(gateway.get("/function/port/version").await, (200, "one".to_owned()));
    gateway.stop().await;
}
