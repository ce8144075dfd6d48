//! What is done about a webhook, once GitLab itself has said how things are.

use std::time::{SystemTime, UNIX_EPOCH};

use http::StatusCode;
use sdk::audit::AuditEvent;
use sdk::call::CallId;
use sdk::customers::Admission;
use sdk::event::{PushEvent, Scm};
use sdk::garbage::{GARBAGE_FUNCTION, GarbageRequest, Scope};
use sdk::id::{CommitSha, HostPath, Owner, OwnerId, RepoName};
use sdk::reserved;
use sdk::webhook::payload::branch_name;

use crate::app::{App, Done};
use crate::notice::{Notice, What};
use crate::owner;
use crate::project::{Namespace, Project};
use crate::refusal::Refusal;

impl App {
    /// Acts on a notice. Safe to repeat, and late.
    pub(crate) async fn act(&self, notice: &Notice, call: &CallId) -> Result<Done, Refusal> {
        let project = Project::ask(&self.config.gitlab, notice.project).await.map_err(Refusal::Unconfirmed)?;
        match (&notice.what, project) {
            (What::Pushed { branch, sha }, Some(project)) => self.push(notice, &project, branch, sha, call).await,
            (What::Changed, Some(project)) => self.changed(notice, &project, call).await,
            (What::Transferred { from }, project) => self.transferred(notice, from, project, call).await,
            (What::Destroyed, None) => self.destroyed(notice, call).await,
            (What::Destroyed, Some(project)) if project.is_marked_for_deletion() => {
                nothing("the project is marked for deletion, and still there: nothing is deleted yet")
            }
            // The webhook may be faster than what GitLab asks.
            (What::Destroyed, Some(_)) => Err(Refusal::Incomplete("it was destroyed, and is still there")),
            // Its functions stay: that the token may not see a project is no proof of anything.
            (What::Pushed { .. } | What::Changed, None) => {
                nothing("GitLab does not show the project to this platform's token: nothing to do")
            }
        }
    }

    async fn push(
        &self,
        notice: &Notice,
        project: &Project,
        branch: &str,
        sha: &CommitSha,
        call: &CallId,
    ) -> Result<Done, Refusal> {
        if !project.is_installed(&self.config.tag) {
            return nothing(format!("the project does not have the topic '{}': nothing to do", self.config.tag));
        }
        let owner = self.tenant(project).await?;
        let (path, repo) = names(project)?;
        let host = self.config.gitlab.instance().host();
        let default_branch =
            project.default_branch.as_deref().ok_or(Refusal::Incomplete("it has no default branch"))?;
        let event = PushEvent {
            scm: Scm::Gitlab,
            host: host.to_owned(),
            owner,
            owner_id: project.namespace.id,
            repo,
            repo_id: project.id,
            html_url: self.config.gitlab.instance().page(path.as_str()),
            path: Some(path),
            private: project.is_private(),
            branch: branch.to_owned(),
            default_branch: branch_name("default_branch", default_branch)?,
            sha: sha.clone(),
            installation: 0,
            pusher: notice.actor.clone(),
            pinned: false,
            asked_at: None,
            rebuild: false,
            restart: Vec::new(),
        };
        self.config.functions.enqueue("gitlab-push", &event, call).await.map_err(Refusal::Queue)?;
        let sentence = format!("{} {branch} {}: queued", event.path_at_host(), sha.short());
        tracing::info!(call_id = %call, owner = %event.owner, repo = %event.repo, %sha, branch, "push accepted");
        Ok((StatusCode::ACCEPTED, sentence))
    }

    /// The project's owner, if it is a tenant.
    async fn tenant(&self, project: &Project) -> Result<Owner, Refusal> {
        let namespace = &project.namespace;
        let owner = login(&namespace.full_path)?;
        if reserved::is_login(&owner) {
            return Err(Refusal::Reserved(owner));
        }
        let customers = &self.config.customers;
        let account = |id| OwnerId { host: self.config.gitlab.instance().host().to_owned(), id };
        let (listed, admission) = match owner::top(&namespace.full_path) {
            None => (owner.clone(), customers.admits(&owner, &account(namespace.id))),
            Some(_) if customers.contains(&owner) => {
                return Err(Refusal::TakenLogin { path: namespace.full_path.clone(), login: owner });
            }
            Some(top) => {
                let listed = login(top)?;
                let asked = Namespace::ask(&self.config.gitlab, top).await.map_err(Refusal::Unconfirmed)?;
                let admission = asked.map_or(Admission::Unknown, |top| customers.admits(&listed, &account(top.id)));
                (listed, admission)
            }
        };
        match admission {
            Admission::Admitted => Ok(owner),
            Admission::Unknown => Err(Refusal::UnknownTenant(listed)),
            Admission::OtherAccount => Err(Refusal::OtherAccount(listed)),
        }
    }

    /// True if a tenant's login is above it all. GitLab speaks of every project, and most are nobody's whose trail is kept.
    fn is_listed(&self, namespace: &str) -> bool {
        login(owner::top(namespace).unwrap_or(namespace)).is_ok_and(|login| self.config.customers.contains(&login))
    }

    async fn changed(&self, notice: &Notice, project: &Project, call: &CallId) -> Result<Done, Refusal> {
        if !project.tells_its_tags() {
            return Err(Refusal::Incomplete("it does not tell its topics"));
        }
        if project.is_installed(&self.config.tag) {
            return nothing("the project is installed; its functions follow its number, whatever its name is");
        }
        let (path, _) = names(project)?;
        let removal = Removal {
            reason: "the project lost its topic",
            path: &path,
            owner_id: project.namespace.id,
            former_owners: false,
            until: Some(now()),
        };
        self.collect(notice, removal, call).await
    }

    /// The functions of the former owner have its login in their names: they go. A push deploys them for the new owner.
    async fn transferred(
        &self,
        notice: &Notice,
        from: &HostPath,
        project: Option<Project>,
        call: &CallId,
    ) -> Result<Done, Refusal> {
        let owner_id = match &project {
            Some(project) if project.namespace.full_path.eq_ignore_ascii_case(owner::namespace(from)) => {
                return nothing("the project is where it was: nothing to do");
            }
            Some(project) => project.namespace.id,
            None => 0,
        };
        let reason = "the project has another owner";
        self.collect(notice, Removal { reason, path: from, owner_id, former_owners: true, until: None }, call).await
    }

    async fn destroyed(&self, notice: &Notice, call: &CallId) -> Result<Done, Refusal> {
        let (reason, path) = ("the project was destroyed", &notice.path);
        self.collect(notice, Removal { reason, path, owner_id: 0, former_owners: true, until: None }, call).await
    }

    async fn collect(&self, notice: &Notice, removal: Removal<'_>, call: &CallId) -> Result<Done, Refusal> {
        let name = removal.path.as_str().rsplit('/').next().unwrap_or_default();
        let (Ok(owner), Ok(repo)) = (login(owner::namespace(removal.path)), name.parse()) else {
            return nothing(format!("'{}' can have deployed nothing here: nothing is deleted", removal.path));
        };
        let request = GarbageRequest {
            host: self.config.gitlab.instance().host().to_owned(),
            owner,
            owner_id: removal.owner_id,
            repo: Scope::Repo(repo),
            repo_id: Some(notice.project),
            former_owners: removal.former_owners,
            until: removal.until,
            sha: None,
            actor: notice.actor.clone(),
            keep: Vec::new(),
        };
        self.config.functions.enqueue(GARBAGE_FUNCTION, &request, call).await.map_err(Refusal::Queue)?;
        let message = format!("{}: the functions of {} are deleted", removal.reason, removal.path);
        let about = AuditEvent::about_removal(&request);
        let owner_id = about.owner_id.filter(|_| self.is_listed(owner::namespace(removal.path)));
        let line = AuditEvent { message: message.clone(), owner_id, ..about };
        self.auditor.send(line, call).await;
        Ok((StatusCode::ACCEPTED, message))
    }
}

/// Whose functions of a project are to go.
struct Removal<'a> {
    reason: &'static str,
    path: &'a HostPath,
    owner_id: u64,
    former_owners: bool,
    until: Option<u64>,
}

fn nothing(sentence: impl Into<String>) -> Result<Done, Refusal> {
    Ok((StatusCode::OK, sentence.into()))
}

fn login(full_path: &str) -> Result<Owner, Refusal> {
    owner::login(full_path).map_err(|cause| Refusal::NoLogin { path: full_path.to_owned(), cause })
}

/// The project's path and name, which have to agree with its namespace: what one field authorises, no other deploys.
fn names(project: &Project) -> Result<(HostPath, RepoName), Refusal> {
    let path: Option<HostPath> = project.path_with_namespace.parse().ok();
    let agree = path.filter(|path| path.as_str() == format!("{}/{}", project.namespace.full_path, project.path));
    let repo = project.path.parse().ok();
    agree.zip(repo).ok_or(Refusal::Incomplete("its path is not its namespace's and its own name"))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
