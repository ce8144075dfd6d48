#![doc = include_str!("../README.md")]

mod claims;
pub mod cookie;
mod keys;
pub mod protocol;

pub use claims::{Claims, MAX_TOKEN, Refused, Verifier};
pub use keys::{Jwk, Jwks, KeyError, SigningKey};
