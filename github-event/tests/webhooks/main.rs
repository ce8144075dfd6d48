//! Webhooks against the whole function, with a gateway that keeps what it is sent.

mod asked;
mod published;
mod pushes;
mod removals;
mod setup;
