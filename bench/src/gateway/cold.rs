//! The first call of a function that is scaled to zero.

use std::time::Instant;

use anyhow::{Result, ensure};

use super::image::Image;
use super::plain::Plain;
use super::program::{Program, order};
use super::{millis, times};
use crate::report::Report;

const ROUNDS: usize = 10;
const FUNCTION: &str = "sleeper";
/// The label that lets a function be scaled to zero when nobody calls it.
const SCALE_ZERO: &str = "com.openfaas.scale.zero";

/// Measures from the request to its answer.
pub(super) async fn measure(image: &Image, report: &mut Report) -> Result<()> {
    let gateway = Program::start(image, &[]).await?;
    let mut function = order(image, FUNCTION);
    function.labels.insert(SCALE_ZERO.to_owned(), "true".to_owned());
    gateway.deploy(&function).await?;
    let plain = Plain::prepare(image).await?;
    let container = plain.run().await?;
    container.answered(&gateway.client).await?;
    let (mut ours, mut peers) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let time = first_call(&gateway).await?;
        container.kill().await?;
        let began = Instant::now();
        container.start().await?;
        container.answered(&gateway.client).await?;
        let peer = millis(began);
        if round > 0 {
            ours.push(time);
            peers.push(peer);
        }
    }
    let what = "gateway, the first call of a function scaled to zero";
    report.add(times(what, &ours, "docker start to first answer", &peers, 600.0));
    Ok(())
}

async fn first_call(gateway: &Program) -> Result<f64> {
    gateway.scale_to_zero(FUNCTION).await?;
    gateway.wait_until_stopped().await?;
    let began = Instant::now();
    let answer = gateway.client.get(gateway.function(FUNCTION)).send().await?;
    let (status, text) = (answer.status(), answer.text().await?);
    let time = millis(began);
    ensure!(status.is_success(), "the first call was answered with {status}: {text}");
    Ok(time)
}
