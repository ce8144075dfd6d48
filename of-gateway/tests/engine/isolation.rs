//! What a function does not reach, tried from within its container.

use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output};

use of_gateway::{BlockedNetwork, Config, Isolation};
use tokio::net::TcpListener;

use crate::bench::{Bench, SOCKET};
use crate::support::Running;
use crate::support::program::{Program, Start};

async fn reach(gateway: &Running, peer: &str) -> String {
    gateway.get(&format!("/function/probe/reach/{peer}")).await.1
}

#[expect(clippy::unwrap_used, reason = "test helper")]
async fn gateway_of(bench: &Bench, instance: &str) -> String {
    let network = bench.docker.inspect_network(&format!("of-{instance}"), None).await.unwrap();
    network.ipam.unwrap().config.unwrap().remove(0).gateway.unwrap()
}

/// The addresses of this machine but for those on networks of installations like ours, which come and go.
fn own_addresses() -> Vec<String> {
    let listed = run(&["ip", "-o", "-4", "address", "show", "scope", "global"]);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let words = listed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let stable = words.filter(|words| !words[1].starts_with("of") && !words[1].starts_with("br-"));
    stable.filter_map(|words| Some(words[3].split_once('/')?.0.to_owned())).collect()
}

/// Accepts connections until the test ends.
#[expect(clippy::unwrap_used, reason = "test helper")]
async fn service(address: &str) -> u16 {
    let listener = TcpListener::bind((address, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    port
}

fn rules_of(instance: &str) -> Vec<String> {
    let all = [run(&["iptables", "-S"]), run(&["ip6tables", "-S"])];
    let all = all.iter().map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).collect::<String>();
    all.lines().filter(|line| line.contains(instance)).map(str::to_owned).collect()
}

#[expect(clippy::unwrap_used, reason = "test helper")]
fn run(words: &[&str]) -> Output {
    Command::new(words[0]).args(&words[1..]).output().unwrap()
}

fn done(words: &str) {
    let output = run(&words.split(' ').collect::<Vec<_>>());
    assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn a_function_does_not_reach_the_machine_it_runs_on() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    gateway.deployed(&bench.spec("probe")).await;
    let own = gateway_of(&bench, &gateway.instance).await;
    let (everywhere, loopback) = (service("0.0.0.0").await, service("127.0.0.1").await);
    assert_eq!(reach(&gateway, &format!("{own}:8080")).await, "reached", "the gateway itself");
    let addresses = own_addresses();
    assert!(!addresses.is_empty(), "this machine has an address");
    let others = addresses.iter().flat_map(|address| [everywhere, 8080].map(|port| format!("{address}:{port}")));
    let here = [format!("{own}:{everywhere}"), format!("{own}:{loopback}"), format!("127.0.0.1:{loopback}")];
    for peer in others.chain(here) {
        assert_eq!(reach(&gateway, &peer).await, "not reached", "{peer}");
    }
    for socket in ["/var/run/docker.sock", "/run/docker.sock", "/run/containerd"] {
        assert_eq!(gateway.get(&format!("/function/probe/exists{socket}")).await.1, "no", "{socket}");
    }
    gateway.stop().await;

    let isolation = Isolation { host_ports: vec![everywhere], ..Isolation::default() };
    let gateway = Running::start(Config { isolation, ..bench.config() }).await;
    assert_eq!(reach(&gateway, &format!("{own}:{everywhere}")).await, "reached", "opened on purpose");
    gateway.stop().await;
}

/// A network behind this machine with an address of the internet (for documentation), one of a company, and one like
/// that of cloud metadata. Not that of clouds itself: this machine may be in one, and need it.
struct Elsewhere {
    name: String,
}

const INTERNET: &str = "198.51.100.7";
const COMPANY: &str = "198.51.100.9";
const METADATA: &str = "169.254.77.77";

impl Elsewhere {
    fn set_up() -> Self {
        let name = format!("of{}", &uuid::Uuid::new_v4().simple().to_string()[..8]);
        let this = Self { name };
        let name = &this.name;
        done(&format!("ip netns add {name}"));
        done(&format!("ip link add {name} type veth peer name far netns {name}"));
        done(&format!("ip address add 198.51.100.1/24 dev {name}"));
        done(&format!("ip link set {name} up"));
        done(&format!("ip route add {METADATA} dev {name}"));
        for address in [format!("{INTERNET}/24"), format!("{COMPANY}/24"), format!("{METADATA}/32")] {
            done(&format!("ip -n {name} address add {address} dev far"));
        }
        done(&format!("ip -n {name} link set far up"));
        this
    }

    /// A listener there; ends with the test's process.
    #[expect(clippy::unwrap_used, reason = "test helper")]
    fn service(&self) -> std::process::Child {
        let server = "use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalPort => 80, Listen => 9, ReuseAddr => 1) \
                      or die; $s->accept while 1";
        let words = ["netns", "exec", &self.name, "perl", "-e", server];
        Command::new("ip").args(words).spawn().unwrap()
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        run(&["ip", "link", "delete", &self.name]);
        run(&["ip", "netns", "delete", &self.name]);
    }
}

#[tokio::test]
async fn a_function_reaches_the_internet_but_no_cloud_metadata() {
    let bench = Bench::set_up().await;
    let elsewhere = Elsewhere::set_up();
    let mut service = elsewhere.service();
    let blocked = vec![format!("{COMPANY}/32").parse::<BlockedNetwork>().unwrap()];
    let isolation = Isolation { blocked, ..Isolation::default() };
    let gateway = Running::start(Config { isolation, ..bench.config() }).await;
    gateway.deployed(&bench.spec("probe")).await;
    crate::support::eventually("the service elsewhere", async || {
        tokio::net::TcpStream::connect((METADATA, 80)).await.ok()
    })
    .await;
    assert_eq!(reach(&gateway, &format!("{INTERNET}:80")).await, "reached");
    assert_eq!(reach(&gateway, &format!("{METADATA}:80")).await, "not reached");
    assert_eq!(reach(&gateway, &format!("{COMPANY}:80")).await, "not reached", "closed by the configuration");
    gateway.stop().await;
    service.kill().unwrap();
    service.wait().unwrap();
}

#[tokio::test]
async fn rules_are_set_once_come_back_after_a_restart_and_go_with_the_rest() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    let instance = gateway.instance.clone();
    assert!(rules_of(&instance).is_empty(), "nothing is set before there is a network");
    gateway.deployed(&bench.spec("probe")).await;
    let first = rules_of(&instance);
    assert!(first.iter().any(|rule| rule.starts_with("-A INPUT")), "{first:?}");
    gateway.deployed(&bench.spec("second")).await;
    gateway.stop().await;
    let gateway = bench.gateway().await;
    assert_eq!(rules_of(&instance), first, "nothing is there twice");
    gateway.stop().await;

    // As a reload of another firewall does.
    done(&format!("iptables -w 10 -D INPUT -i of-{instance} -j OF-{instance}-IN"));
    done(&format!("iptables -w 10 -F OF-{instance}-IN"));
    let gateway = bench.gateway().await;
    assert_eq!(rules_of(&instance).len(), first.len());
    let own = gateway_of(&bench, &instance).await;
    let everywhere = service("0.0.0.0").await;
    assert_eq!(reach(&gateway, &format!("{own}:{everywhere}")).await, "not reached");
    gateway.stop().await;
    of_gateway::purge(&bench.config()).await.unwrap();
    assert!(rules_of(&instance).is_empty());
}

fn installation() -> String {
    uuid::Uuid::new_v4().simple().to_string()[..8].to_owned()
}

/// As a gateway leaves them that was killed: rules for this interface, in chains of this name.
fn left_behind(program: &str, name: &str, interface: &str) {
    for (parent, end) in [("INPUT", "IN"), ("FORWARD", "OUT")] {
        done(&format!("{program} -w 10 -N OF-{name}-{end}"));
        done(&format!("{program} -w 10 -A OF-{name}-{end} -m conntrack --ctstate INVALID -j RETURN"));
        done(&format!("{program} -w 10 -I {parent} 1 -i {interface} -j OF-{name}-{end}"));
    }
}

/// Rules that no gateway is to touch, taken away at the end.
struct Kept<'a> {
    name: &'a str,
    interface: &'a str,
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        for (parent, end) in [("INPUT", "IN"), ("FORWARD", "OUT")] {
            let chain = format!("OF-{}-{end}", self.name);
            run(&["iptables", "-w", "10", "-D", parent, "-i", self.interface, "-j", &chain]);
            run(&["iptables", "-w", "10", "-F", &chain]);
            run(&["iptables", "-w", "10", "-X", &chain]);
        }
    }
}

#[tokio::test]
async fn rules_that_a_killed_gateway_left_behind_go_unless_their_network_is_there() {
    let bench = Bench::set_up().await;
    let (gone, alive, unlike) = (installation(), installation(), format!("{}x", installation()));
    for program in ["iptables", "ip6tables"] {
        left_behind(program, &gone, &format!("of-{gone}"));
    }
    let kept = [Kept { name: &alive, interface: "lo" }, Kept { name: &unlike, interface: "of-none" }];
    for Kept { name, interface } in &kept {
        left_behind("iptables", name, interface);
    }
    let before = kept.each_ref().map(|kept| rules_of(kept.name));
    let gateway = bench.gateway().await;
    gateway.deployed(&bench.spec("probe")).await;
    assert!(rules_of(&gone).is_empty(), "{:?}", rules_of(&gone));
    assert_eq!(kept.each_ref().map(|kept| rules_of(kept.name)), before);
    gateway.stop().await;
}

/// Nobody, on nearly every system.
const NOBODY: u32 = 65534;

/// The program as a user who may do nothing but talk to the engine.
#[expect(clippy::unwrap_used, reason = "test helper")]
async fn as_nobody(bench: &Bench, isolation: &str) -> Program {
    // Where the program was built may be closed to others.
    let program = bench.dir.path().join("of-gateway");
    std::fs::copy(env!("CARGO_BIN_EXE_of-gateway"), &program).unwrap();
    chown(bench.dir.path(), Some(NOBODY), None).unwrap();
    let group = std::fs::metadata(SOCKET.trim_start_matches("unix://")).unwrap().gid();
    let mut start = Start::of(&program, bench.dir.path(), SOCKET);
    start.command.env("isolation", isolation).uid(NOBODY).gid(group);
    start.run().await
}

#[tokio::test]
async fn a_gateway_without_the_right_says_so_and_deploys_only_if_that_is_allowed() {
    let bench = Bench::set_up().await;
    let program = as_nobody(&bench, "required").await;
    let (status, text) = program.deploy(&bench.spec("probe")).await;
    assert_eq!(status, 503, "{text}");
    for part in ["kept from other services of this machine", "run the gateway as root", "isolation=best-effort"] {
        assert!(text.contains(part), "\"{part}\" is missing in: {text}");
    }
    drop(program);
    let program = as_nobody(&bench, "best-effort").await;
    let (status, text) = program.deploy(&bench.spec("probe")).await;
    assert_eq!(status, 202, "{text}");
    let warning = "Functions can reach other services of this machine and cloud metadata";
    let log = program.log();
    assert_eq!(log.matches(warning).count(), 1, "said once: {log}");
    assert_eq!(program.deploy(&bench.spec("second")).await.0, 202);
    assert_eq!(program.log().matches(warning).count(), 1);
}

#[tokio::test]
async fn a_mode_or_network_that_is_none_is_refused_at_the_start() {
    for (name, value, part) in [
        ("isolation", "maybe", "neither required nor best-effort"),
        ("blocked_networks", "10.0.0.0/33", "not an IPv4 network"),
        ("host_ports", "443,https", "'https' is not valid"),
        ("inside_port", "70000", "inside_port"),
    ] {
        let secrets = [("basic-auth-user", "u"), ("basic-auth-password", "p")];
        let env = openfaas_runtime::Env::from_map([(name, value)], secrets);
        let sentence = Config::from_env(&env).unwrap_err().to_string();
        assert!(sentence.contains(part), "{sentence}");
    }
}
