//! import-secrets, as far as a push needs it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::StatusCode;
use sdk::call::{CallError, CallId, Functions};
use sdk::event::PushEvent;
use sdk::secrets::{
    BuildWish, ForBuild, Import, Known, Look, NotImported, Prune, Pruned, SECRETS_FUNCTION, SecretName, SecretRef,
    SecretsRequest,
};
use sdk::stack::{Function, Stack};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::problem::Problem;

/// A file of many secrets takes its time at a gateway that does.
const TIMEOUT: Duration = Duration::from_secs(120);
/// The longest answer, in bytes: it names each secret of a stack, and never a value.
const MAX_ANSWER: usize = 1024 * 1024;

/// The secrets that a function mounts. What is no name is refused where it is deployed.
pub(crate) fn wanted(function: &Function) -> impl Iterator<Item = SecretName> {
    function.secrets.iter().filter_map(|name| name.parse().ok())
}

/// The secrets that a stack's functions mount.
pub(crate) fn all_wanted(stack: &Stack) -> BTreeSet<SecretName> {
    stack.functions.iter().flat_map(wanted).collect()
}

/// The secrets that a function needs to become live: those that it mounts, and those of its build.
pub(crate) fn needed(function: &Function) -> impl Iterator<Item = SecretName> {
    wanted(function).chain(function.build_secrets.values().map(|wish| wish.secret.clone()))
}

/// The secrets that a stack's functions need.
pub(crate) fn all_needed(stack: &Stack) -> BTreeSet<SecretName> {
    stack.functions.iter().flat_map(needed).collect()
}

/// import-secrets, asked in the course of one call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keeper<'a> {
    pub(crate) functions: &'a Functions,
    pub(crate) call: &'a CallId,
}

impl Keeper<'_> {
    /// Has a push's file taken over. Without import-secrets a file is refused, since nobody would keep it; secrets that
    /// were made by hand are then mounted as they are.
    pub(crate) async fn import(self, import: Import) -> Result<Option<Known>, Problem> {
        let file = import.file.as_ref().map(|file| file.name.clone());
        match (self.ask(&SecretsRequest::Import(import)).await, file) {
            (Ok(None), Some(file)) => {
                let problem = "this platform keeps no sealed secrets, for it has no import-secrets: ask its operator";
                Err(Problem::Sealed { file, line: 1, problem: problem.to_owned() })
            }
            (Ok(known), _) => Ok(known),
            (Err(Asked::Refused(NotImported { error, line })), Some(file)) => {
                Err(Problem::Sealed { file, line: line.unwrap_or(1), problem: error })
            }
            (Err(error), _) => Err(error.into()),
        }
    }

    /// Asks what is known of secrets; nothing without import-secrets.
    pub(crate) async fn look(self, event: &PushEvent, wanted: BTreeSet<SecretName>) -> Result<Option<Known>, Problem> {
        if wanted.is_empty() {
            return Ok(Some(Known::default()));
        }
        let look = SecretsRequest::Look(Look { event: event.clone(), wanted });
        self.ask(&look).await.map_err(Problem::from)
    }

    /// Has removed what nobody has or mounts any more.
    pub(crate) async fn prune(self, event: &PushEvent, bare: bool) -> Result<Pruned, Problem> {
        let prune = SecretsRequest::Prune(Prune { event: event.clone(), bare });
        Ok(self.ask(&prune).await?.unwrap_or_default())
    }

    /// What a build may mount, sealed for the image builder: the file of the Function Builder API.
    pub(crate) async fn seal_for_build(
        self,
        event: &PushEvent,
        wanted: BTreeMap<String, SecretRef>,
    ) -> Result<String, Problem> {
        let wish = SecretsRequest::SealForBuild(BuildWish { event: event.clone(), wanted });
        let sealed: Option<ForBuild> = self.ask(&wish).await?;
        let nobody = "'build_secrets' cannot be used on this platform, for it has no import-secrets: remove them";
        sealed.map(|sealed| sealed.file).ok_or_else(|| Problem::Secrets { reason: nobody.to_owned(), again: false })
    }

    /// `None` where the gateway has no import-secrets.
    async fn ask<T: DeserializeOwned>(self, request: &SecretsRequest) -> Result<Option<T>, Asked> {
        let body = serde_json::to_vec(request).map_err(|error| Asked::Unclear(error.to_string()))?;
        let digest = Sha256::digest(&body).into();
        match self.functions.send(SECRETS_FUNCTION, body, digest, TIMEOUT, self.call).await {
            Ok(answer) => {
                let text = sdk::call::bounded_text(answer, MAX_ANSWER).await;
                let unclear = || Asked::Unclear(format!("the answer of {SECRETS_FUNCTION} is not understood"));
                serde_json::from_str(&text).map(Some).map_err(|_| unclear())
            }
            Err(CallError::Refused { status: StatusCode::NOT_FOUND, .. }) => Ok(None),
            Err(CallError::Refused { status, text, .. }) if is_a_judgement(status) => {
                Err(Asked::Refused(judgement(&text)))
            }
            Err(error) => Err(Asked::Silent(error)),
        }
    }
}

/// Why there is no answer.
#[derive(Debug)]
enum Asked {
    /// import-secrets refuses, for good.
    Refused(NotImported),
    /// It cannot be reached, or cannot do it now.
    Silent(CallError),
    /// It says what is not understood.
    Unclear(String),
}

impl From<Asked> for Problem {
    fn from(asked: Asked) -> Self {
        match asked {
            Asked::Refused(NotImported { error, .. }) => Self::Secrets { reason: error, again: false },
            Asked::Silent(error) => Self::Secrets { again: error.is_worth_a_retry(), reason: error.to_string() },
            Asked::Unclear(reason) => Self::Secrets { reason, again: true },
        }
    }
}

/// Of the message. What is wrong with the call itself (its signature, its way) is no judgement about a repository.
fn is_a_judgement(status: StatusCode) -> bool {
    let too_long = StatusCode::PAYLOAD_TOO_LARGE;
    [StatusCode::BAD_REQUEST, StatusCode::CONFLICT, StatusCode::UNPROCESSABLE_ENTITY, too_long].contains(&status)
}

fn judgement(text: &str) -> NotImported {
    serde_json::from_str(text).unwrap_or_else(|_| {
        let error = text.lines().next().unwrap_or_default().to_owned();
        let line = error.split_once("line ").and_then(|(_, rest)| {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok().filter(|line| *line > 0)
        });
        NotImported { error, line }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_a_line_where_it_names_one() {
        let plain = |text: &str| judgement(text).line;
        assert_eq!(plain("line 12: the name has to begin with alice-\nmore"), Some(12));
        assert_eq!(
            (plain("the key is another stage's"), plain("line x"), plain("line 0"), plain("")),
            (None, None, None, None)
        );
        let written = judgement(r#"{"error": "damaged", "line": 3}"#);
        assert_eq!(written, NotImported { error: "damaged".to_owned(), line: Some(3) });
    }
}
