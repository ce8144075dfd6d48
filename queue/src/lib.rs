#![doc = include_str!("../README.md")]

mod bodies;
mod call;
mod disk;
mod embedded;
mod error;
mod handle;
mod jetstream;
mod letters;
mod news;
mod options;
mod statistics;
mod store;
mod time;

pub use bodies::{Body, BodyStream, Spool};
pub use call::{Call, DEFAULT_QUEUE, Head, Lane, Ticket, valid_queue};
pub use error::QueueError;
pub use handle::{Queue, embedded, jetstream};
pub use letters::{DeadLetter, Letters};
pub use options::{Credentials, Limits, Nats, Options};
pub use statistics::LaneCounts;
pub use store::{Cancelled, Claimed, Enqueued, Verdict, Want};
pub use time::{millis, now_ms};
