//! The gateway's image, as its guide says to run it.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::bench::{Bench, with};
use crate::support::{PASSWORD, USER, eventually, program};

/// A gateway in a container; container and image are removed however the test ends.
struct Contained {
    name: String,
    image: String,
}

impl Contained {
    #[expect(clippy::unwrap_used, reason = "test helper")]
    fn start(data_dir: &Path) -> Self {
        let name = format!("of-gateway-test-{}", uuid::Uuid::new_v4().simple());
        let contained = Self { image: format!("{name}:test"), name };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/gateway-image");
        run(Command::new(script).args(["--binary", env!("CARGO_BIN_EXE_of-gateway"), &contained.image]));
        let secrets = data_dir.join("credentials");
        program::write_credentials(&secrets, USER, PASSWORD);
        let data = data_dir.to_str().unwrap();
        run(Command::new("docker")
            .args(["run", "--detach", "--name", &contained.name, "--network", "host", "--cap-add", "NET_ADMIN"])
            .args(["--volume", "/var/run/docker.sock:/var/run/docker.sock"])
            .args(["--volume", "/dev/shm:/dev/shm"])
            .args(["--volume", &format!("{}:/run/secrets:ro", secrets.display())])
            .args(["--volume", &format!("{data}:{data}"), "--env", &format!("data_dir={data}")])
            .args([contained.image.as_str(), "--listen", "127.0.0.1:0"]));
        contained
    }

    /// What it warned of.
    fn complaints(&self) -> Vec<String> {
        let log = run(Command::new("docker").args(["logs", &self.name]));
        log.lines().filter(|line| line.contains("\"WARN\"") || line.contains("\"ERROR\"")).map(str::to_owned).collect()
    }

    /// The addresses that it became ready at, one for each start.
    fn addresses(&self) -> Vec<String> {
        let log = run(Command::new("docker").args(["logs", &self.name]));
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let ready = lines.filter(|line| line["message"] == program::READY);
        ready.filter_map(|line| line["address"].as_str().map(str::to_owned)).collect()
    }
}

impl Drop for Contained {
    fn drop(&mut self) {
        // What the image was built upon stays, or the next test would have to build that too.
        for arguments in [["rm", "--force", &self.name].as_slice(), &["rmi", "--force", "--no-prune", &self.image]] {
            let _ = Command::new("docker").args(arguments).output();
        }
    }
}

/// What a command writes, to both its outputs.
#[expect(clippy::unwrap_used, reason = "test helper")]
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{command:?}: {text}");
    text
}

#[tokio::test]
async fn the_image_deploys_functions_restarts_in_place_and_ends_in_order() {
    let bench = Bench::set_up().await;
    let gateway = Contained::start(bench.dir.path());
    let address = eventually("the gateway to be ready", async || gateway.addresses().pop()).await;
    let http = sdk::http::client();
    let system = |path: &str| http.post(format!("http://{address}/system/{path}")).basic_auth(USER, Some(PASSWORD));
    let secret = system("secrets").json(&json!({"name": "key", "value": "s3cret"})).send().await.unwrap();
    assert_eq!(secret.status(), 202);
    let spec = with(bench.spec("inside"), json!({"secrets": ["key"]}));
    let deployed = system("functions").json(&spec).send().await.unwrap();
    assert_eq!(deployed.status(), 202, "{:?}", deployed.text().await);
    let ask = async |path: &str| {
        let url = format!("http://{address}/function/inside/{path}");
        http.get(url).send().await.unwrap().error_for_status().unwrap().text().await.unwrap()
    };
    assert_eq!(ask("secret/key").await, "s3cret", "its secrets are where the engine looks for them");
    assert!(gateway.complaints().is_empty(), "it has all that it needs: {:?}", gateway.complaints());
    run(Command::new("docker").args(["kill", "--signal", "USR2", &gateway.name]));
    eventually("the restart", async || (gateway.addresses() == [address.clone(), address.clone()]).then_some(())).await;
    assert_eq!(ask("version").await, "one");
    run(Command::new("docker").args(["stop", &gateway.name]));
    let format = "{{.State.ExitCode}} {{.State.OOMKilled}}";
    let ended = run(Command::new("docker").args(["inspect", "--format", format, &gateway.name]));
    assert_eq!(ended.trim(), "0 false");
}
