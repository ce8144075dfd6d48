//! The source-code host of a repository, as a command speaks with it: the git host of the platform that runs here, or
//! GitHub as its App.

mod commit;
mod place;
mod repository;

#[cfg(test)]
pub(crate) use commit::Remark;
pub(crate) use commit::{Check, Commit, Deployment, Outcome};
pub(crate) use place::{AsSomebody, AtGithub, app_of, local_app, local_owner, own_owner};
pub(crate) use repository::{Repository, Wish};
