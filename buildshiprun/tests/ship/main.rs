//! Orders against the whole function, with a builder and a gateway that keep what they are sent.

mod builder;
mod building;
mod deploying;
mod orders;
mod setup;
