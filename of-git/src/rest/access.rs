//! Who asks, about which repository, and whether they may.

use std::path::PathBuf;

use http::HeaderMap;
use sdk::id::{Owner, RepoPath};

use super::error::ApiError;
use crate::app::App;
use crate::auth::{Caller, bearer_token, reaches};
use crate::clock;
use crate::deployments::Creator;
use crate::github_app::{Level, Registration};
use crate::installation_token::Grant;
use crate::owners::Known;

/// A kind of use: GitHub's name of the permission, and how much of it.
pub(super) type Need = (&'static str, Level);

pub(super) const METADATA: Need = ("metadata", Level::Read);
pub(super) const CONTENTS: Need = ("contents", Level::Read);
pub(super) const READ_CHECKS: Need = ("checks", Level::Read);
pub(super) const WRITE_CHECKS: Need = ("checks", Level::Write);
pub(super) const READ_STATUSES: Need = ("statuses", Level::Read);
pub(super) const WRITE_STATUSES: Need = ("statuses", Level::Write);
pub(super) const READ_DEPLOYMENTS: Need = ("deployments", Level::Read);
pub(super) const WRITE_DEPLOYMENTS: Need = ("deployments", Level::Write);

/// A repository that the caller may use as asked.
pub(super) struct Place {
    pub(super) known: Known,
    pub(super) folder: PathBuf,
    pub(super) caller: Caller,
}

impl Place {
    /// The path under which everything is kept.
    pub(super) fn path(&self) -> &RepoPath {
        &self.known.path
    }

    /// As whom the caller makes something.
    pub(super) fn creator(&self) -> Creator {
        match self.caller {
            Caller::Owner(_) => Creator::Owner,
            Caller::Platform | Caller::Installation(_) => Creator::App,
        }
    }

    /// Refuses everybody but the repository's owner.
    pub(super) fn expect_owner(&self) -> Result<(), ApiError> {
        match self.caller {
            Caller::Owner(_) => Ok(()),
            Caller::Platform | Caller::Installation(_) => Err(ApiError::forbidden()),
        }
    }
}

/// The repository of an address, if the caller may use it so. One that the caller may not see is not there.
pub(super) async fn open(
    app: &App,
    headers: &HeaderMap,
    (owner, repo): (&str, &str),
    need: Need,
) -> Result<Place, ApiError> {
    let owner: Owner = owner.parse().map_err(|_| ApiError::not_found())?;
    let caller = app.keys.rest(headers, &owner).map_err(|_| ApiError::bad_credentials())?;
    let path = RepoPath { owner, repo: repo.parse().map_err(|_| ApiError::not_found())? };
    permit(app, &caller, &path, need)?;
    let known = app.owners.repository(&path).ok_or_else(ApiError::not_found)?;
    let folder = app.repositories.find(&path).await.ok_or_else(ApiError::not_found)?;
    Ok(Place { known, folder, caller })
}

fn permit(app: &App, caller: &Caller, path: &RepoPath, (permission, level): Need) -> Result<(), ApiError> {
    match caller {
        Caller::Platform => Ok(()),
        Caller::Owner(owner) if *owner != path.owner => Err(ApiError::not_found()),
        // As at GitHub, check runs are an App's to make.
        Caller::Owner(_) if (permission, level) == WRITE_CHECKS => {
            Err(ApiError(http::StatusCode::FORBIDDEN, "You must authenticate via a GitHub App.".into()))
        }
        Caller::Owner(_) => Ok(()),
        Caller::Installation(grant) if !reaches(grant, path, &app.owners) => Err(ApiError::not_found()),
        // Everybody who sees a repository sees that it is there.
        Caller::Installation(grant) if (permission, level) == METADATA || grant.allows(permission, level) => Ok(()),
        Caller::Installation(_) => Err(ApiError::forbidden()),
    }
}

/// The App, by what it signed.
pub(super) fn the_app<'a>(app: &'a App, headers: &HeaderMap) -> Result<&'a Registration, ApiError> {
    let registration = app.github_app.as_ref().ok_or_else(ApiError::not_found)?;
    let token = bearer_token(headers).ok_or_else(ApiError::bad_credentials)?;
    let checked = registration.check(token, clock::now());
    checked.map_err(|bad| ApiError(http::StatusCode::UNAUTHORIZED, bad.to_string()))?;
    Ok(registration)
}

/// What the token of an installation is good for.
pub(super) fn installation(app: &App, headers: &HeaderMap) -> Result<Grant, ApiError> {
    match app.keys.bearer(headers) {
        Ok(Caller::Installation(grant)) => Ok(grant),
        Ok(Caller::Platform | Caller::Owner(_)) => Err(ApiError::forbidden()),
        Err(_) => Err(ApiError::bad_credentials()),
    }
}
