//! S3 servers for tests: two that have nothing in common, so that what works with both is likely to work with a third.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "for tests only")]

mod in_process;
mod moto;

pub use in_process::{Condition, InProcess};
pub use moto::Moto;

/// The access key that both take.
pub const ACCESS_KEY: &str = "access";
/// The secret key that both take.
pub const SECRET_KEY: &str = "secret of s3";
