//! Submodules that a stack's functions need, fetched beside the commit.

use std::sync::Arc;

use sdk::context::Tree;
use sdk::event::PushEvent;
use sdk::id::CommitSha;
use sdk::stack::Stack;
use tempfile::TempDir;

use super::Shared;
use super::stages::{Checkout, blocking, git, open};
use crate::git::Remote;
use crate::problem::Problem;
use crate::submodules::{self, Submodule};

impl Shared {
    /// The commit's files with those of the submodules that the stack's functions need, where that is allowed.
    pub(super) async fn with_submodules(
        &self,
        event: &PushEvent,
        tree: Arc<Tree>,
        folder: Arc<TempDir>,
        stack: &Stack,
    ) -> Result<Arc<Tree>, Problem> {
        if !self.config.submodules_allowed {
            return Ok(tree);
        }
        let (same_tree, stack) = (Arc::clone(&tree), stack.clone());
        let needed = blocking(move || submodules::needed(&same_tree, &stack)).await?;
        if needed.is_empty() {
            return Ok(tree);
        }
        let mut whole = open(&folder, event)?;
        for module in needed {
            whole = self.with_submodule(event, whole, &module).await?;
        }
        Ok(Tree::new(whole))
    }

    async fn with_submodule(
        &self,
        event: &PushEvent,
        whole: Checkout,
        module: &Submodule,
    ) -> Result<Checkout, Problem> {
        let commit = whole.module_at(&module.path).map_err(|cause| Problem::Machine(std::io::Error::other(cause)))?;
        // What is named and not there fails where a function wants it.
        let Some(commit) = commit else { return Ok(whole) };
        let folder = self.fetch_submodule(event, module, &commit).await?;
        tracing::info!(path = %module.path, %commit, "submodule fetched");
        whole.with_module(module.path.clone(), folder, &commit).map_err(|problem| git(event, problem))
    }

    async fn fetch_submodule(
        &self,
        event: &PushEvent,
        module: &Submodule,
        commit: &CommitSha,
    ) -> Result<Arc<TempDir>, Problem> {
        let hosts = &self.config.hosts;
        let base = hosts.base(&event.host).ok_or_else(|| Problem::Refused(event.host.clone()))?;
        let path = submodules::source(event, base, module)?;
        let failed = |problem: crate::git::GitError| match problem.is_final() {
            true => Problem::Submodule {
                line: Some(module.line),
                problem: format!("the submodule '{}' ({path}) at {}: {problem}", module.path, commit.short()),
            },
            false => Problem::Git { what: path.clone(), problem },
        };
        let url = hosts.repository(event, &path).ok_or_else(|| Problem::Refused(event.host.clone()))?;
        let name = path.rsplit('/').next().unwrap_or(&path);
        let credential = hosts.credential_for(event, name).await;
        let credential = credential.map_err(|problem| Problem::Token { what: path.clone(), problem })?;
        let remote = Remote::new(self.http.clone(), url, credential.as_ref(), self.config.git).map_err(failed)?;
        let folder = self.work.create()?;
        remote.fetch(commit, folder.path()).await.map_err(failed)?;
        Ok(Arc::new(folder))
    }
}
