//! Statuses against the whole function, with a GitLab that keeps them.

mod commits;
mod deployments;
mod failures;
mod setup;
