//! The pages.

pub(crate) mod actions;
pub(crate) mod audit;
pub(crate) mod badge;
pub(crate) mod build;
pub(crate) mod deploys;
pub(crate) mod function;
pub(crate) mod home;
pub(crate) mod invoke;
pub(crate) mod logs;
pub(crate) mod operator;
pub(crate) mod owner;
pub(crate) mod push;
pub(crate) mod secrets;
pub(crate) mod standing;
