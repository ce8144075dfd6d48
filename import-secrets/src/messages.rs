//! `POST /`: signed messages of git-tar and garbage-collect.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use sdk::audit::AuditEvent;
use sdk::call::CallId;
use sdk::garbage::GarbageRequest;
use sdk::secrets::{Import, Known, Prune, Pruned, SecretsRequest};
use sdk::signing::Signed;

use crate::app::App;
use crate::problem::Problem;
use crate::{import, trail, withdraw};

/// A message is begun again so often where another process changes the same record.
const TRIES: usize = 5;

/// Does what a message says. The work goes on where the caller does not wait: half of it would have to be undone.
pub(crate) async fn receive(
    State(app): State<App>,
    Signed { message, call }: Signed<SecretsRequest>,
) -> Result<Response, Problem> {
    tokio::spawn(async move { app.answer(message, &call).await }).await.map_err(|_| Problem::Broken)?
}

impl App {
    async fn answer(&self, message: SecretsRequest, call: &CallId) -> Result<Response, Problem> {
        match message {
            SecretsRequest::Import(import) => self.answer_import(import, call).await.map(json),
            SecretsRequest::Look(look) => {
                import::check(&look.event, &look.wanted)?;
                for _ in 0..TRIES {
                    match self.look(&look).await {
                        Err(Problem::Changed) => {}
                        other => return other.map(json),
                    }
                }
                Err(Problem::Changed)
            }
            SecretsRequest::Prune(prune) => self.answer_prune(&prune, call).await.map(json),
            SecretsRequest::Withdraw(request) => self.answer_withdraw(&request, call).await.map(json),
            SecretsRequest::SealForBuild(wish) => self.seal_for_build(&wish).await.map(json),
        }
    }

    async fn answer_import(&self, mut import: Import, call: &CallId) -> Result<Known, Problem> {
        let event = import.event.clone();
        let file = import.file.take();
        let answer = async {
            import::check(&event, &import.wanted)?;
            if !event.restart.is_empty() {
                return Err(Problem::Invalid("a restart imports nothing".to_owned()));
            }
            let documents = import::parse(file).await?;
            for _ in 0..TRIES {
                match self.import(&import, &documents, call).await {
                    Err(Problem::Changed) => {}
                    other => return other,
                }
            }
            Err(Problem::Changed)
        };
        match answer.await {
            Ok(imported) => {
                self.tell_all(&AuditEvent::about(&event), imported.sentences, call).await;
                Ok(imported.known)
            }
            Err(problem) => {
                let again = if problem.may_pass() { "; it will be tried again" } else { "" };
                self.auditor.push(&event, format!("secrets not imported: {problem}{again}"), call).await;
                Err(problem)
            }
        }
    }

    async fn answer_prune(&self, prune: &Prune, call: &CallId) -> Result<Pruned, Problem> {
        import::check(&prune.event, &Default::default())?;
        for _ in 0..TRIES {
            match self.prune(prune, call).await {
                Err(Problem::Changed) => {}
                other => {
                    let pruned = other?;
                    self.tell_all(&AuditEvent::about(&prune.event), trail::pruned(&pruned), call).await;
                    return Ok(pruned);
                }
            }
        }
        Err(Problem::Changed)
    }

    async fn answer_withdraw(&self, request: &GarbageRequest, call: &CallId) -> Result<Pruned, Problem> {
        withdraw::check(request)?;
        for _ in 0..TRIES {
            match self.withdraw(request).await {
                Err(Problem::Changed) => {}
                other => {
                    let pruned = other?;
                    self.tell_all(&AuditEvent::about_removal(request), trail::pruned(&pruned), call).await;
                    return Ok(pruned);
                }
            }
        }
        Err(Problem::Changed)
    }

    async fn tell_all(&self, about: &AuditEvent, sentences: Vec<String>, call: &CallId) {
        for message in sentences {
            tracing::info!(call_id = %call, owner = about.owner, repo = about.repo, "{message}");
            self.auditor.send(AuditEvent { message, ..about.clone() }, call).await;
        }
    }
}

fn json<T: serde::Serialize>(answer: T) -> Response {
    Json(answer).into_response()
}
