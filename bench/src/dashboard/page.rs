//! The first page of an owner with a thousand functions, beside nginx that has the very same page as a packed file.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use sdk::identity::Identity;
use sdk::status::State;

use super::place::{Place, build, owner, push};
use crate::child::free_port;
use crate::nginx::{Nginx, whole};
use crate::report::{Report, Row, median};
use crate::servers::catalogue::{FUNCTIONS, OWNER};

const ROUNDS: usize = 200;
/// In milliseconds.
const MOST_TIME: f64 = 50.0;
/// In bytes, with all that the page needs.
const MOST_BYTES: usize = 100_000;
/// Pushes that the page shows some of.
const PUSHES: u64 = 10;

pub(super) async fn measure(report: &mut Report) -> Result<()> {
    let (place, who) = (Place::open()?, owner()?);
    for commit in 1..=PUSHES {
        let key = build(commit)?;
        place.record(&push(&key, commit, State::Success)?).await?;
    }
    let page = format!("/{OWNER}");
    let began = Instant::now();
    let packed = place.open_page(&who, &page).await?.bytes().await?;
    let first = millis(began);
    let text = place.text(&who, &page).await?;
    check(&text)?;
    let nginx = nginx(&packed)?;
    let plain = sdk::http::client();
    let (mut ours, mut peers) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let bytes = place.open_page(&who, &page).await?.bytes().await?;
        ours.push(millis(began));
        ensure!(bytes.len().abs_diff(packed.len()) < 1000, "the page is another one");
        let began = Instant::now();
        let same = plain.get(format!("{}page", nginx.url)).send().await?.error_for_status()?.bytes().await?;
        peers.push(millis(began));
        ensure!(same == packed, "nginx has another page");
    }
    let (usual, slow) = (median(ours.clone()), slowest(&ours));
    report.add(Row {
        what: format!("dashboard, an owner's page with {FUNCTIONS} functions"),
        ours: format!("{usual:.1} ms (99 %: {slow:.1} ms, the very first: {first:.1} ms)"),
        peer: format!("nginx with the page as a file {:.2} ms", median(peers.clone())),
        ratio: format!("{:.0}", median(ours.iter().zip(&peers).map(|(ours, peer)| ours / peer).collect())),
        budget: format!("≤ {MOST_TIME} ms"),
        holds: usual <= MOST_TIME,
    });
    let bytes = transferred(&place, &who, &page, &text).await?;
    report.add(Row {
        what: "dashboard, that page with style, script and icon, over the wire".to_owned(),
        ours: format!("{:.1} KB", bytes as f64 / 1e3),
        peer: String::new(),
        ratio: String::new(),
        budget: format!("≤ {} KB", MOST_BYTES / 1000),
        holds: bytes <= MOST_BYTES,
    });
    Ok(())
}

/// Nothing is missing on it.
fn check(text: &str) -> Result<()> {
    for part in [&format!("{FUNCTIONS} in all"), "checkout-service-0000", "Page 1 of 40", "Recent deploys", "bar-good"]
    {
        ensure!(text.contains(part), "the page does not have {part:?}");
    }
    ensure!(!text.contains("cannot be shown"), "something is missing on the page");
    ensure!(text.matches("<tr>").count() == 26, "the page has another number of rows");
    Ok(())
}

/// nginx with the page as it was sent.
fn nginx(packed: &[u8]) -> Result<Nginx> {
    let port = free_port()?;
    let mut written = Ok(());
    let nginx = Nginx::serving(port, |directory| {
        written = write(directory, packed);
        let server = format!(
            "server {{ listen 127.0.0.1:{port}; location / {{ default_type text/html; \
             add_header Content-Encoding gzip; root {directory}; }} }}\n"
        );
        whole(directory, &server)
    })?;
    written.context("the page cannot be written for nginx").map(|()| nginx)
}

fn write(directory: &str, packed: &[u8]) -> std::io::Result<()> {
    // A server that gave up its rights may read it, too.
    std::fs::set_permissions(directory, Permissions::from_mode(0o755))?;
    let file = format!("{directory}/page");
    std::fs::write(&file, packed)?;
    std::fs::set_permissions(file, Permissions::from_mode(0o644))
}

/// The bytes of the page and of all that it names, each with its headers.
async fn transferred(place: &Place, who: &Identity, page: &str, text: &str) -> Result<usize> {
    let (head, _) = text.split_once("</head>").context("the page has no head")?;
    let named = head.split('"').filter_map(|part| part.strip_prefix("/dashboard"));
    let paths: Vec<&str> = named.filter(|path| path.starts_with("/-/assets/")).collect();
    ensure!(paths.len() == 3, "the page needs {paths:?} and not style, script and icon");
    let mut bytes = 0;
    for path in [page].into_iter().chain(paths) {
        let response = place.open_page(who, path).await?;
        let headers = response.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
        bytes += "HTTP/1.1 200 OK\r\n\r\n".len() + headers.sum::<usize>();
        bytes += response.bytes().await?.len();
    }
    Ok(bytes)
}

/// What 99 of 100 stay below.
pub(super) fn slowest(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() * 99 / 100).or(values.last()).copied().unwrap_or(f64::NAN)
}

pub(super) fn millis(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1e3
}
