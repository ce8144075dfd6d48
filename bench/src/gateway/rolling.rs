//! Updates of a function that is being called.

use std::time::Duration;

use anyhow::Result;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::answered;
use super::image::{ANSWER, Image};
use super::load::{Outcome, steady};
use super::program::{Program, order_with};
use crate::report::{Report, Row};

const FUNCTION: &str = "busy";
/// Requests a second, whatever becomes of them.
const RATE: u32 = 200;
const CHANGES: usize = 5;
/// From one change to the next.
const PERIOD: Duration = Duration::from_secs(2);
/// What the function needs for an answer, so that some requests are always under way.
const WORK: (&str, &str) = ("work", "20");

/// How a function comes by its new version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Update,
    RemoveAndDeploy,
}

/// Measures updates, and what a gateway does that removes the old version before it makes the new one.
pub(super) async fn measure(image: &Image, report: &mut Report) -> Result<()> {
    let ours = under_load(image, Change::Update).await?;
    let peer = under_load(image, Change::RemoveAndDeploy).await?;
    for (reason, count) in &ours.reasons {
        eprintln!("   lost {count}: {reason}");
    }
    report.add(Row {
        what: format!("gateway, {CHANGES} updates under {RATE} requests a second"),
        ours: format!("{} of {} lost, slowest {:.0} ms", ours.lost(), ours.sent, ours.slowest_ms),
        peer: format!("remove and deploy: {} of {} lost", peer.lost(), peer.sent),
        ratio: String::new(),
        budget: "0 lost".to_owned(),
        holds: ours.lost() == 0,
    });
    Ok(())
}

async fn under_load(image: &Image, change: Change) -> Result<Outcome> {
    let gateway = Program::start(image, &[]).await?;
    let (name, value) = WORK;
    let mut function = order_with(image, FUNCTION, name, value);
    gateway.deploy(&function).await?;
    let url = gateway.function(FUNCTION);
    answered(&gateway.client, &url, ANSWER).await?;
    let enough = CancellationToken::new();
    let load = AbortOnDropHandle::new(tokio::spawn(steady(sdk::http::client(), url.clone(), RATE, enough.clone())));
    let mut turn = interval(PERIOD);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    turn.tick().await;
    for number in 1..=CHANGES {
        turn.tick().await;
        let version = number.to_string();
        function.env_vars.insert("answer".to_owned(), version.clone());
        if change == Change::RemoveAndDeploy {
            gateway.remove(FUNCTION).await?;
        }
        gateway.deploy(&function).await?;
        answered(&gateway.client, &url, &version).await?;
    }
    turn.tick().await;
    enough.cancel();
    load.await?
}
