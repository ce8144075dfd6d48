//! One order, from its arrival to a function that serves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{Request, State};
use http::StatusCode;
use sdk::audit::Auditor;
use sdk::call::CallId;
use sdk::deploy::{DeployOrder, OrderImage};
use sdk::failure::Failure;
use sdk::gateway::FunctionDeployment;
use sdk::id::ServiceName;
use sdk::pipeline_log::LogKey;
use sdk::signing::Key;
use sdk::status::{Reporter, State as Progress, Status};
use serde::Serialize;
use tokio::sync::Semaphore;
use tracing::Instrument;

use crate::build_log::BuildLog;
use crate::builder::{Builder, Built, seconds_since};
use crate::config::Config;
use crate::deployment::keep_time_if_same;
use crate::parcel::{self, Context};
use crate::problem::Problem;
use crate::{ownership, rollout};

const NAME: &str = "buildshiprun";
/// The answer waits so long for statuses that are on their way.
const STATUS_TIME: Duration = Duration::from_secs(5);
const MAX_IMAGE: usize = 512;

pub(crate) struct App {
    config: Config,
    key: Key,
    builder: Builder,
    auditor: Auditor,
    places: Semaphore,
}

impl App {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            key: config.functions.key(NAME),
            builder: Builder::new(config.builder.clone()),
            auditor: Auditor::new(NAME, config.functions.clone()),
            places: Semaphore::new(config.intake.parallelism),
            config,
        }
    }
}

/// The answer.
#[derive(Serialize)]
pub(crate) struct Shipped {
    image: String,
    built: bool,
    seconds: f64,
}

pub(crate) async fn receive(State(app): State<Arc<App>>, request: Request) -> Result<Json<Shipped>, Failure> {
    let stopping = |_| Failure::new(StatusCode::SERVICE_UNAVAILABLE, "the platform is stopping");
    let _place = app.places.acquire().await.map_err(stopping)?;
    let call = CallId::from_headers(request.headers());
    let (order, context) = parcel::receive(&app.config.intake, &app.key, request).await?;
    let event = &order.event;
    let span = tracing::info_span!("ship", call_id = %call, owner = %event.owner, repo = %event.repo, sha = %event.sha, function = %order.function);
    let reporter = Reporter::start(app.config.functions.clone(), call.clone());
    let voyage = Voyage { app: &app, order: &order, call, reporter, start: Instant::now() };
    voyage.make(context).instrument(span).await.map(Json)
}

/// One order on its way.
struct Voyage<'a> {
    app: &'a App,
    order: &'a DeployOrder,
    call: CallId,
    reporter: Reporter,
    start: Instant,
}

impl Voyage<'_> {
    /// Ships the order and tells everybody how that ended.
    async fn make(self, context: Context) -> Result<Shipped, Failure> {
        tracing::info!("order accepted");
        let outcome = self.ship(context).await;
        let (event, function) = (&self.order.event, &self.order.function);
        let result = match outcome {
            Ok(shipped) => {
                let url = self.app.config.pretty_url.of(&event.owner, function);
                tracing::info!(image = shipped.image, url, seconds = shipped.seconds, "deployed");
                self.report(Progress::Success, &format!("live at {url}"), |status| status.with_url(&url)).await;
                self.audit(format!("deployed {function} as {}", shipped.image)).await;
                Ok(shipped)
            }
            Err(problem) => {
                self.report(Progress::Failure, &problem.sentence(), |status| status.with_log(&problem.log)).await;
                self.audit(format!("{function} was not deployed: {}", problem.failure.public())).await;
                Err(problem.failure)
            }
        };
        let _ = tokio::time::timeout(STATUS_TIME, self.reporter.flush()).await;
        result
    }

    async fn ship(&self, context: Context) -> Result<Shipped, Problem> {
        let order = self.order;
        if order.event.owner_id == 0 {
            return Err(Failure::bad_request("the order's owner has no number").into());
        }
        let name = ServiceName::of(&order.event.owner, &order.function);
        let name = name.map_err(|error| Failure::refused(error.to_string()))?;
        let mut deployment = self.app.config.rules.apply(order, &name)?;
        ownership::current(&self.app.config.gateway, &order.event, &name).await?;
        let (image, built) = match &order.image {
            OrderImage::Build(_) => self.build(context).await.map(|built| (built.image, !built.reused))?,
            OrderImage::Existing(image) => (existing(image)?, false),
        };
        deployment.image.clone_from(&image);
        self.deploy(deployment, &name).await?;
        Ok(Shipped { image, built, seconds: self.start.elapsed().as_secs_f64() })
    }

    async fn build(&self, context: Context) -> Result<Built, Problem> {
        let (event, start) = (&self.order.event, Instant::now());
        let key = LogKey {
            owner: event.owner.clone(),
            repo: event.repo.clone(),
            sha: event.sha.clone(),
            function: self.order.function.clone(),
        };
        let mut log = BuildLog::start(self.app.config.functions.clone(), key, self.call.clone());
        tracing::info!(bytes = context.length, "build started");
        let built = self.app.builder.build(context, &mut log).await;
        let outcome = match &built {
            Ok(Built { reused: true, .. }) => "the image of an earlier build is used".to_owned(),
            Ok(_) => format!("built in {}", seconds_since(start)),
            Err(problem) => problem.failure.public().to_owned(),
        };
        log.line(&outcome).await;
        // Its last part travels while the function is deployed.
        drop(log);
        let built = built?;
        let seconds = start.elapsed().as_secs_f64();
        tracing::info!(image = built.image, reused = built.reused, seconds, "image built");
        self.report(Progress::InProgress, &outcome, |status| status).await;
        Ok(built)
    }

    /// Deploys, unless somebody else took the name while the image was built.
    async fn deploy(&self, mut deployment: FunctionDeployment, name: &ServiceName) -> Result<(), Problem> {
        let config = &self.app.config;
        if let Some(deployed) = ownership::current(&config.gateway, &self.order.event, name).await? {
            keep_time_if_same(&mut deployment, &deployed);
        }
        tracing::info!(image = deployment.image, "deploying");
        rollout::roll_out(&config.gateway, &deployment, config.ready_timeout).await
    }

    async fn report(&self, state: Progress, title: &str, more: impl FnOnce(Status) -> Status) {
        let status = Status::new(&self.order.event, self.order.function.as_str(), state, title);
        self.reporter.report(more(status)).await;
    }

    async fn audit(&self, message: String) {
        self.app.auditor.push(&self.order.event, message, &self.call).await;
    }
}

fn existing(image: &str) -> Result<String, Failure> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"./:_-@".contains(&b);
    let usable = !image.is_empty() && image.len() <= MAX_IMAGE && image.bytes().all(plain);
    if usable { Ok(image.to_owned()) } else { Err(Failure::refused("the image's name is not one")) }
}
