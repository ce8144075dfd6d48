#![doc = include_str!("../README.md")]

#[allow(dead_code, reason = "the pages that use it come with the rest of the crate")]
mod provider;
#[allow(dead_code, reason = "the pages that use it come with the rest of the crate")]
mod tenants;
