//! Hundreds of functions that nobody calls.

use std::time::Instant;

use anyhow::{Result, ensure};
use bollard::query_parameters::ListContainersOptionsBuilder;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::image::Image;
use super::millis;
use super::program::{Program, order};
use crate::report::{Report, Row, median};

const FUNCTIONS: usize = 500;
/// Deployed at once. More only wait for each other in the engine.
const AT_ONCE: usize = 4;
const LISTINGS: usize = 20;

/// Measures what they cost in memory and in the time to list them.
pub(super) async fn measure(image: &Image, report: &mut Report) -> Result<()> {
    let gateway = Program::start(image, &[]).await?;
    let without = gateway.resident_mib()?;
    let began = Instant::now();
    stream::iter(0..FUNCTIONS)
        .map(Ok)
        .try_for_each_concurrent(AT_ONCE, |number| deploy(&gateway, image, number))
        .await?;
    eprintln!("   {FUNCTIONS} functions were deployed and scaled to zero in {:.0} s", began.elapsed().as_secs_f64());
    let listed = gateway.list().await?;
    let idle = listed.iter().filter(|function| function.replicas == 0).count();
    ensure!((listed.len(), idle) == (FUNCTIONS, FUNCTIONS), "{} functions are listed, {idle} at zero", listed.len());
    let (mut ours, mut peers) = (Vec::new(), Vec::new());
    for _ in 0..LISTINGS {
        let began = Instant::now();
        gateway.list().await?;
        ours.push(millis(began));
        let began = Instant::now();
        image.docker.list_containers(Some(ListContainersOptionsBuilder::default().all(true).build())).await?;
        peers.push(millis(began));
    }
    let resident = gateway.resident_mib()?;
    report.add(Row {
        what: format!("gateway, resident with {FUNCTIONS} functions scaled to zero"),
        ours: format!("{resident:.1} MiB"),
        peer: format!("without functions {without:.1} MiB"),
        ratio: format!("{:.2}", resident / without),
        budget: "≤ 60 MiB".to_owned(),
        holds: resident <= 60.0,
    });
    let time = median(ours.clone());
    report.add(Row {
        what: "gateway, a list of them".to_owned(),
        ours: format!("{time:.1} ms"),
        peer: format!("the engine's list of their containers {:.1} ms", median(peers.clone())),
        ratio: format!("{:.2}", median(ours.iter().zip(&peers).map(|(ours, peer)| ours / peer).collect())),
        budget: "≤ 20 ms".to_owned(),
        holds: time <= 20.0,
    });
    Ok(())
}

async fn deploy(gateway: &Program, image: &Image, number: usize) -> Result<()> {
    let name = format!("idle-{number}");
    gateway.deploy(&order(image, &name)).await?;
    gateway.scale_to_zero(&name).await
}
