//! What every function does that takes webhooks from strangers: it reads them within bounds, says what is wrong with
//! them by the field's name, and refuses without letting a flood fill the log and the audit trail.

mod intake;
pub mod payload;
mod quota;
mod refusals;

pub use intake::{Intake, Unread};
pub use payload::Malformed;
pub use refusals::{Refusals, Refused, TEXT};
