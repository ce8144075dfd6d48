//! Webhooks against the whole function, with a gateway and a GitLab that keep what they are sent.

mod pushes;
mod removals;
mod setup;
mod strangers;
mod tenants;
