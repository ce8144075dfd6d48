//! A repository or an owner left: its secrets go, once no function mounts them.

use std::collections::BTreeSet;

use sdk::garbage::{GarbageRequest, Scope};
use sdk::id::OwnerId;
use sdk::secrets::Pruned;

use crate::app::App;
use crate::problem::Problem;
use crate::record::Kept;

/// Refuses what cannot be meant.
pub(crate) fn check(request: &GarbageRequest) -> Result<(), Problem> {
    let numbered = matches!(request.repo, Scope::Repo(_)) && request.repo_id.is_some();
    if request.owner_id == 0 && !request.former_owners {
        return Err(Problem::Invalid("owner_id must be greater than 0".to_owned()));
    }
    if request.former_owners && !numbered {
        return Err(Problem::Invalid("former_owners needs a repository and its repo_id".to_owned()));
    }
    if !request.keep.is_empty() {
        return Err(Problem::Invalid("a repository that keeps functions has not left".to_owned()));
    }
    Ok(())
}

impl App {
    /// Takes all that is meant for leaving, and removes what is not mounted.
    ///
    /// # Errors
    /// As [`App::sweep`].
    pub(crate) async fn withdraw(&self, request: &GarbageRequest) -> Result<Pruned, Problem> {
        let mut all = Pruned::default();
        for owner in self.owners(request).await? {
            let pruned = self.withdraw_from(&owner, request).await?;
            all.removed.extend(pruned.removed);
            all.in_use.extend(pruned.in_use);
        }
        Ok(all)
    }

    async fn owners(&self, request: &GarbageRequest) -> Result<Vec<OwnerId>, Problem> {
        if !request.former_owners {
            return Ok(vec![request.owner_id()]);
        }
        let is_other = |owner: &OwnerId| owner.host == request.host && owner.id != request.owner_id;
        self.records.pick(|record| Some(record.owner).filter(is_other)).await
    }

    async fn withdraw_from(&self, owner: &OwnerId, request: &GarbageRequest) -> Result<Pruned, Problem> {
        let _turn = self.records.turn(owner).await?;
        let mut open = self.records.open(owner, &request.owner).await?;
        self.recover(&mut open).await?;
        let is_meant = |kept: &Kept| is_meant(request, kept.repo_id, kept.repo.as_str());
        let is_older = |kept: &Kept| request.until.is_none_or(|until| kept.changed_at <= until);
        open.record.leave(&BTreeSet::new(), |kept| is_meant(kept) && is_older(kept));
        // What is known of a repository's pushes is only good for functions that are there.
        let left = |id: &u64, repo: &str| is_meant_at_all(request) && self::is_meant(request, *id, repo);
        open.record.consumers.retain(|id, consumer| !left(id, consumer.event.repo.as_str()));
        self.records.save(&mut open).await?;
        self.sweep(&mut open, is_meant).await
    }
}

/// A request about what was there until some time is no proof that a repository is gone now.
fn is_meant_at_all(request: &GarbageRequest) -> bool {
    request.until.is_none()
}

/// By number where it is known, else by name.
fn is_meant(request: &GarbageRequest, repo_id: u64, repo: &str) -> bool {
    match (&request.repo, request.repo_id) {
        (Scope::Everything, _) => true,
        (Scope::Repo(_), Some(id)) => id == repo_id,
        (Scope::Repo(name), None) => name.as_str() == repo,
    }
}
