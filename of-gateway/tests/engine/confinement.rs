use std::os::unix::fs::PermissionsExt as _;

use http::Method;
use serde_json::json;

use of_gateway::{Config, DefaultLimits};

use crate::bench::{Bench, with};
use crate::support::Running;

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
    let spec = json!({"secrets": ["api-key"], "limits": limits, "envProcess": "run me", "envVars": {"A": "b=c"},
        "readOnlyRootFilesystem": true});
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
async fn what_a_deployment_does_not_say_is_as_the_operator_says() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    let host = async |gateway: &Running, name: &str| {
        let (_, id, _) = bench.containers(&gateway.instance, name).await.remove(0);
        bench.docker.inspect_container(&id, None).await.unwrap().host_config.unwrap()
    };
    gateway.deployed(&bench.spec("plain")).await;
    let plain = host(&gateway, "plain").await;
    assert_eq!((plain.readonly_rootfs, plain.pids_limit), (Some(false), Some(256)), "as with OpenFaaS");
    assert_eq!((plain.memory, plain.nano_cpus), (Some(128 << 20), Some(500_000_000)));
    gateway.deployed(&with(bench.spec("loose"), json!({"readOnlyRootFilesystem": false}))).await;
    assert_eq!(host(&gateway, "loose").await.readonly_rootfs, Some(false));
    assert_eq!(gateway.function("loose").await.get("readOnlyRootFilesystem"), None);
    gateway.stop().await;

    let limits = DefaultLimits { memory: String::new(), cpu: String::new(), pids: 0, read_only: true };
    let gateway = Running::start(Config { limits, ..bench.config() }).await;
    gateway.deployed(&bench.spec("free")).await;
    let free = host(&gateway, "free").await;
    assert_eq!(free.readonly_rootfs, Some(true));
    assert_eq!((free.memory, free.nano_cpus), (Some(0), Some(0)));
    assert!(free.pids_limit.is_none_or(|most| most <= 0), "{:?}", free.pids_limit);
    assert_eq!(host(&gateway, "plain").await.readonly_rootfs, Some(false), "what is live stays as it is");
    let quota = json!({"annotations": {"com.openfaas.quota.memory": "1Gi"}});
    assert_eq!(
        gateway.system_json(Method::POST, "/system/namespace/small", with(json!({"name": "small"}), quota)).await.0,
        201
    );
    let (status, text) = gateway.post(&with(bench.spec("free"), json!({"namespace": "small"}))).await;
    assert!(status == 400 && text.contains("limits.memory"), "{status}: {text}");
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
