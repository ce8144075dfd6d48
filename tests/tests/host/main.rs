//! What the source-code host is told, and what can be asked of it afterwards.
#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod failure;
mod redelivery;
mod redeploy;
mod removal;
mod rerun;

use std::process::Output;

use end_to_end::Platform;

/// Runs `ofc`, which has to end well, and gives what it says.
fn ofc(platform: &Platform, arguments: &[&str]) -> String {
    let output = platform.ofc(arguments, None);
    assert!(output.status.success(), "ofc {arguments:?}: {}{}", said(&output), String::from_utf8_lossy(&output.stderr));
    said(&output)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
