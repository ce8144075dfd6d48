//! The gateway with a container engine: the program itself, measured from outside, beside what does the same without it.

mod cold;
mod deploy;
mod image;
mod load;
mod messages;
mod nats;
mod plain;
mod program;
mod proxy;
mod rolling;
mod sqlite;
mod zero;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use self::image::Image;
use crate::report::{Report, Row, median};

/// Groups of rows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rows {
    /// Proxying, beside nginx.
    Proxy,
    /// Deployments and updates, beside `docker run`.
    Deploy,
    /// The first call of a function that is scaled to zero, beside `docker start`.
    Cold,
    /// Hundreds of functions that are scaled to zero.
    Zero,
    /// Asynchronous calls on both stores, beside the stores alone.
    Messages,
    /// Updates under load, beside removing and deploying anew.
    Rolling,
}

/// Measures one group.
pub(crate) async fn measure(rows: Rows, report: &mut Report) -> Result<()> {
    let image = Image::build().await?;
    match rows {
        Rows::Proxy => proxy::measure(&image, report).await,
        Rows::Deploy => deploy::measure(&image, report).await,
        Rows::Cold => cold::measure(&image, report).await,
        Rows::Zero => zero::measure(&image, report).await,
        Rows::Messages => messages::measure(&image, report).await,
        Rows::Rolling => rolling::measure(&image, report).await,
    }
}

/// For clearing up when something is dropped, which cannot wait otherwise.
fn block_on<T>(work: impl Future<Output = T>) -> T {
    block_in_place(|| Handle::current().block_on(work))
}

/// How long anything may take to answer for the first time.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// Asks again and again, and returns with the first good answer that says what is expected.
async fn answered(client: &reqwest::Client, url: &str, expected: &str) -> Result<()> {
    let began = Instant::now();
    loop {
        let last = match client.get(url).timeout(ANSWER_LIMIT).send().await {
            Ok(answer) => {
                let status = answer.status();
                let text = answer.text().await.unwrap_or_default();
                if status.is_success() && text == expected {
                    return Ok(());
                }
                format!("{status} {text}")
            }
            Err(error) => format!("{error:#}"),
        };
        ensure!(began.elapsed() < ANSWER_LIMIT, "{url} did not answer with {expected:?} in time: {last}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// A row of the median time of two, in milliseconds.
fn times(what: &str, ours: &[f64], peer: &str, peers: &[f64], most: f64) -> Row {
    let ratio = median(ours.iter().zip(peers).map(|(ours, peer)| ours / peer).collect());
    let time = median(ours.to_vec());
    Row {
        what: what.to_owned(),
        ours: format!("{time:.0} ms"),
        peer: format!("{peer} {:.0} ms", median(peers.to_vec())),
        ratio: format!("{ratio:.2}"),
        budget: format!("≤ {most} ms"),
        holds: time <= most,
    }
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
