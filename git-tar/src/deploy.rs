//! One function to buildshiprun: its order and, where it is to be built, its context, in one signed tar.

use std::io::{self, Write};

use sdk::call::{CallError, CallId, Functions};
use sdk::deploy::{DeployOrder, NotShipped, ORDER_ENTRY, OrderImage, Shipped};
use sdk::event::PushEvent;
use sha2::{Digest, Sha256};
use std::time::Duration;

use crate::plan::{Action, Work};

/// The function that builds and deploys.
const BUILDSHIPRUN: &str = "buildshiprun";
/// Its answer is a small object, in bytes.
const MAX_ANSWER: usize = 16 * 1024;

/// Why one function was not deployed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeployError {
    /// The tar could not be made.
    #[error("its build context could not be packed")]
    Pack(#[source] io::Error),
    /// What its build may mount is not sealed for the builder.
    #[error("{reason}")]
    Secrets {
        /// Why.
        reason: String,
        /// Another try may help.
        again: bool,
    },
    /// buildshiprun says why.
    #[error("{}", .answer.error)]
    Refused {
        /// What it says.
        answer: NotShipped,
        /// Another try may help.
        again: bool,
    },
    /// buildshiprun says nothing.
    #[error(transparent)]
    Silent(CallError),
}

impl DeployError {
    /// True if another try may help.
    pub(crate) fn is_worth_a_retry(&self) -> bool {
        match self {
            Self::Pack(_) => true,
            Self::Secrets { again, .. } | Self::Refused { again, .. } => *again,
            Self::Silent(error) => error.is_worth_a_retry(),
        }
    }
}

/// An answer that is no success: buildshiprun's own, or of something on the way to it.
fn refused(error: CallError) -> DeployError {
    let again = error.is_worth_a_retry();
    let CallError::Refused { text, .. } = &error else { return DeployError::Silent(error) };
    match serde_json::from_str::<NotShipped>(text) {
        Ok(answer) => DeployError::Refused { answer, again },
        Err(_) if text.is_empty() => DeployError::Silent(error),
        Err(_) => {
            let first = text.lines().next().unwrap_or_default().to_owned();
            DeployError::Refused { answer: NotShipped { error: first, ..NotShipped::default() }, again }
        }
    }
}

/// The message to buildshiprun and its SHA-256. Blocking: reads the function's files.
pub(crate) fn pack(event: &PushEvent, work: Work) -> Result<(Vec<u8>, [u8; 32]), DeployError> {
    let (image, plan) = match work.action {
        Action::Build(image, plan) => (OrderImage::Build(image), Some(plan)),
        Action::Redeploy(image) => (OrderImage::Existing(image), None),
        Action::Unchanged => return Err(DeployError::Pack(io::Error::other("there is nothing to do"))),
    };
    let order = DeployOrder {
        event: event.clone(),
        function: work.function,
        image,
        build_digest: work.build_digest,
        deploy_digest: work.deploy_digest,
        settings: work.settings,
    };
    let order_json = serde_json::to_vec(&order).map_err(|error| DeployError::Pack(error.into()))?;
    let out = Summed { bytes: Vec::new(), sum: Sha256::new() };
    let packed = match (plan, &order.image) {
        (Some(plan), OrderImage::Build(image)) => plan.write_tar(image, &[(ORDER_ENTRY, &order_json)], out),
        _ => order_alone(&order_json, out),
    };
    let packed = packed.map_err(DeployError::Pack)?;
    Ok((packed.bytes, packed.sum.finalize().into()))
}

/// Sends a packed function and waits until it is live. True if an image was built for it.
pub(crate) async fn send(
    functions: &Functions,
    (body, digest): (Vec<u8>, [u8; 32]),
    timeout: Duration,
    call: &CallId,
) -> Result<bool, DeployError> {
    let answer = functions.send(BUILDSHIPRUN, body, digest, timeout, call).await.map_err(refused)?;
    let text = sdk::call::bounded_text(answer, MAX_ANSWER).await;
    // It is live, whatever else the answer says; a builder that does not tell has built.
    Ok(serde_json::from_str::<Shipped>(&text).map_or(true, |shipped| shipped.built))
}

fn order_alone<W: Write>(order: &[u8], out: W) -> io::Result<W> {
    let mut tar = tar::Builder::new(out);
    let mut header = tar::Header::new_gnu();
    header.set_size(order.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, ORDER_ENTRY, order)?;
    tar.into_inner()
}

/// Bytes and their sum in one pass.
struct Summed {
    bytes: Vec<u8>,
    sum: Sha256,
}

impl Write for Summed {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(buffer);
        self.sum.update(buffer);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
