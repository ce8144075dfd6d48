//! The router as the program that is delivered, in front of a gateway's stand-in that nginx plays, beside nginx itself in front
//! of the same.

mod memory;
mod place;

use anyhow::Result;

use self::place::Place;
use crate::report::{Report, Row, median};
use crate::wrk::{self, Load};

const ROUNDS: usize = 9;

/// Measures line 3 of the budgets, and what the edge must hold beside it.
pub(crate) fn measure(report: &mut Report) -> Result<()> {
    let place = Place::open()?;
    let [mut ours, mut plain, mut checked, mut by_service] = [const { Vec::new() }; 4];
    for _ in 0..ROUNDS {
        ours.push(wrk::load_at(&place.router("/hello"), place::HOST)?);
        plain.push(wrk::load_at(&place.plain, place::HOST)?);
        checked.push(wrk::load_at(&place.checked, place::HOST)?);
        by_service.push(wrk::load_at(&place.checked_by_service, place::HOST)?);
    }
    let rate = |load: &Load| load.rate;
    report.add(row("router, requests", &ours, ("nginx proxy_pass", &plain), rate, "/s", Budget::AtLeast(1.0)));
    let slow = |load: &Load| load.p99;
    let what = "router, time within which 99 % of them are answered";
    report.add(row(what, &ours, ("nginx proxy_pass", &plain), slow, " ms", Budget::AtMost(1.2)));
    // Who is asked by nginx does nothing but say yes. That it is nginx itself is the least that asking can cost; that it is a
    // service on hyper, as of-auth is, is what it costs where there is something to decide. The budget names neither.
    let peer = ("nginx auth_request, asking a service", by_service.as_slice());
    report.add(row("router, requests", &ours, peer, rate, "/s", Budget::AtLeast(2.0)));
    let peer = ("nginx auth_request, asking nginx", checked.as_slice());
    report.add(row("router, requests", &ours, peer, rate, "/s", Budget::AtLeast(2.0)));
    memory::measure(&place, report)
}

enum Budget {
    AtLeast(f64),
    AtMost(f64),
}

fn row(
    what: &str,
    ours: &[Load],
    (peer, peers): (&str, &[Load]),
    figure: fn(&Load) -> f64,
    unit: &str,
    budget: Budget,
) -> Row {
    let of = |loads: &[Load]| loads.iter().map(figure).collect::<Vec<_>>();
    let (ours, peers) = (of(ours), of(peers));
    let ratio = median(ours.iter().zip(&peers).map(|(ours, peer)| ours / peer).collect());
    let (budget, holds) = match budget {
        Budget::AtLeast(least) => (format!("≥ {least}"), ratio >= least),
        Budget::AtMost(most) => (format!("≤ {most}"), ratio <= most),
    };
    Row {
        what: what.to_owned(),
        ours: format!("{:.1}{unit}", median(ours)),
        peer: format!("{peer} {:.1}{unit}", median(peers)),
        ratio: format!("{ratio:.2}"),
        budget,
        holds,
    }
}
