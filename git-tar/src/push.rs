//! The flow of one push. Every step can be run again after a kill at any point: nothing is kept outside the
//! gateway, whose labels say what is deployed already.

mod carry;
mod modules;
mod outcome;
mod restart;
mod secrets;
mod stages;

use std::sync::Arc;

use sdk::ConfigError;
use sdk::audit::Auditor;
use sdk::call::CallId;
use sdk::event::PushEvent;
use sdk::failure::Failure;
use sdk::signing::Key;
use sdk::status::{Reporter, State};

use crate::config::Config;
use crate::problem::Problem;
use crate::record::Record;
use crate::report::Report;
use crate::repository::WorkFolders;
use crate::templates::Templates;
use crate::turns::Turns;
use outcome::Outcome;

/// This function's name at the gateway.
const SELF: &str = "git-tar";

/// What all pushes share. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Platform {
    shared: Arc<Shared>,
}

struct Shared {
    config: Config,
    key: Key,
    http: reqwest::Client,
    auditor: Auditor,
    turns: Turns,
    work: WorkFolders,
    templates: Templates,
}

impl axum::extract::FromRef<Platform> for Key {
    fn from_ref(platform: &Platform) -> Self {
        platform.shared.key.clone()
    }
}

impl Platform {
    /// Makes the folders that pushes need.
    pub(crate) fn new(config: Config) -> Result<Self, ConfigError> {
        let http = sdk::http::client();
        let folder = |name: &str, error: std::io::Error| ConfigError::one(name, format!("cannot be used: {error}"));
        let work = WorkFolders::new(config.work_directory.clone()).map_err(|error| folder("work_directory", error))?;
        let templates = Templates::new(&config, http.clone(), work.clone());
        let templates = templates.map_err(|error| folder("cache_directory", error))?;
        let key = config.functions.key(SELF);
        let auditor = Auditor::new(SELF, config.functions.clone());
        let shared = Shared { config, key, http, auditor, turns: Turns::default(), work, templates };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Deploys a push, and says in its status, the audit trail and the answer how that ended.
    pub(crate) async fn deploy(&self, event: &PushEvent, call: &CallId) -> Result<String, Failure> {
        if !event.restart.is_empty() {
            return self.restart(event, call).await;
        }
        let reporter = Reporter::start(self.shared.config.functions.clone(), call.clone());
        let report = Report::new(event, call, reporter, &self.shared.auditor, &self.shared.config.pretty_url);
        let report = report.in_record(Record::begin(self.shared.config.functions.clone(), event, call));
        let limit = self.shared.config.push_timeout;
        let outcome = tokio::time::timeout(limit, self.shared.run(&report)).await;
        let outcome = outcome.unwrap_or(Err(Problem::Late(limit)));
        let answer = match outcome {
            Ok(Outcome::Deployed(sentence)) => {
                report.conclude(State::Success, &sentence);
                report.audit(&sentence).await;
                Ok(sentence)
            }
            Ok(Outcome::Nothing(sentence)) => {
                report.conclude(State::Neutral, &sentence);
                report.audit(&sentence).await;
                Ok(sentence)
            }
            Err(problem) => {
                report.fail(&problem);
                report.audit(problem.to_string()).await;
                Err(problem.into())
            }
        };
        report.flush().await;
        answer
    }
}
