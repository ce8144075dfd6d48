//! From a deployment of an image that is there to the function's first answer.

use std::time::Instant;

use anyhow::Result;

use super::image::{ANSWER, Image};
use super::plain::Plain;
use super::program::{Program, order, order_with};
use super::{answered, millis, times};
use crate::report::Report;

const ROUNDS: usize = 10;
const MOST: f64 = 700.0;
const PEER: &str = "docker run to first answer";

/// Measures new functions and updates.
pub(super) async fn measure(image: &Image, report: &mut Report) -> Result<()> {
    let gateway = Program::start(image, &[]).await?;
    let plain = Plain::prepare(image).await?;
    let [mut new, mut updates, mut peers] = [const { Vec::new() }; 3];
    for round in 0..=ROUNDS {
        let name = format!("deployed-{round}");
        let began = Instant::now();
        gateway.deploy(&order(image, &name)).await?;
        answered(&gateway.client, &gateway.function(&name), ANSWER).await?;
        let deployed = millis(began);
        let peer = run(&plain, &gateway.client).await?;
        let began = Instant::now();
        gateway.update(&order_with(image, &name, "answer", "new")).await?;
        answered(&gateway.client, &gateway.function(&name), "new").await?;
        let updated = millis(began);
        // The first round makes the network and fills caches.
        if round > 0 {
            new.push(deployed);
            updates.push(updated);
            peers.push(peer);
        }
        gateway.remove(&name).await?;
    }
    report.add(times("gateway, a new function of an image that is there", &new, PEER, &peers, MOST));
    report.add(times("gateway, an update of a function", &updates, PEER, &peers, MOST));
    Ok(())
}

async fn run(plain: &Plain<'_>, client: &reqwest::Client) -> Result<f64> {
    let began = Instant::now();
    let container = plain.run().await?;
    container.answered(client).await?;
    Ok(millis(began))
}
