//! One function in a container, called through the gateway and through nginx.

use anyhow::{Context, Result};
use sdk::gateway::Resources;
use tokio::task::block_in_place;

use super::image::{Image, PORT};
use super::program::{Program, order};
use crate::nginx::Nginx;
use crate::report::{Report, Row, median};
use crate::wrk;

const ROUNDS: usize = 9;
const FUNCTION: &str = "hello";

/// Measures line 4 of the budgets, and the slowest hundredth of the requests.
pub(super) async fn measure(image: &Image, report: &mut Report) -> Result<()> {
    let gateway = Program::start(image, &[]).await?;
    // The function gets all cores, as nothing holds nginx back either.
    let cores = std::thread::available_parallelism()?.to_string();
    let limits = Some(Resources { memory: String::new(), cpu: cores });
    gateway.deploy(&sdk::gateway::FunctionDeployment { limits, ..order(image, FUNCTION) }).await?;
    let nginx = Nginx::in_front_of(&address(&gateway).await?)?;
    let url = gateway.function(FUNCTION);
    let (mut ours, mut peers) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(block_in_place(|| wrk::load(&url, None))?);
        peers.push(block_in_place(|| wrk::load(&nginx.url, None))?);
    }
    let of = |loads: &[wrk::Load], figure: fn(&wrk::Load) -> f64| loads.iter().map(figure).collect::<Vec<_>>();
    let compare = |figure| {
        let (ours, peers) = (of(&ours, figure), of(&peers, figure));
        let ratio = median(ours.iter().zip(&peers).map(|(ours, peer)| ours / peer).collect());
        (median(ours), median(peers), ratio)
    };
    let (rate, peer, ratio) = compare(|load| load.rate);
    report.add(Row {
        what: "gateway, requests to one function in a container".to_owned(),
        ours: format!("{rate:.0}/s"),
        peer: format!("nginx proxy_pass {peer:.0}/s"),
        ratio: format!("{ratio:.2}"),
        budget: "≥ 0.8".to_owned(),
        holds: ratio >= 0.8,
    });
    let (slow, peer, ratio) = compare(|load| load.p99);
    report.add(Row {
        what: "gateway, time within which 99 % of them are answered".to_owned(),
        ours: format!("{slow:.2} ms"),
        peer: format!("nginx proxy_pass {peer:.2} ms"),
        ratio: format!("{ratio:.2}"),
        budget: "≤ 1.5".to_owned(),
        holds: ratio <= 1.5,
    });
    Ok(())
}

/// Where the function's container answers.
async fn address(gateway: &Program) -> Result<String> {
    let containers = gateway.containers().await?;
    let networks = containers.into_iter().find_map(|one| one.network_settings?.networks);
    let endpoint = networks.into_iter().flatten().find_map(|(_, endpoint)| endpoint.ip_address);
    Ok(format!("{}:{PORT}", endpoint.context("the function's container has no address")?))
}
