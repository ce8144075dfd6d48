//! One order, from its arrival to a function that serves.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::{Request, State};
use http::StatusCode;
use sdk::audit::{AuditEvent, Auditor};
use sdk::call::CallId;
use sdk::deploy::{DeployOrder, OrderImage, Shipped};
use sdk::failure::Failure;
use sdk::gateway::FunctionDeployment;
use sdk::id::ServiceName;
use sdk::pipeline_log::LogKey;
use sdk::signing::Key;
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

pub(crate) async fn receive(State(app): State<Arc<App>>, request: Request) -> Result<Json<Shipped>, Problem> {
    let stopping = |_| Failure::new(StatusCode::SERVICE_UNAVAILABLE, "the platform is stopping");
    let _place = app.places.acquire().await.map_err(stopping)?;
    let call = CallId::from_headers(request.headers());
    let (order, context) = parcel::receive(&app.config.intake, &app.key, request).await?;
    let event = &order.event;
    let span = tracing::info_span!("ship", call_id = %call, owner = %event.owner, repo = %event.repo, sha = %event.sha, function = %order.function);
    let voyage = Voyage { app: &app, order: &order, call, start: Instant::now() };
    voyage.make(context).instrument(span).await.map(Json)
}

/// One order on its way.
struct Voyage<'a> {
    app: &'a App,
    order: &'a DeployOrder,
    call: CallId,
    start: Instant,
}

impl Voyage<'_> {
    /// Ships the order, and says in the audit trail and the answer how that ended.
    async fn make(self, context: Context) -> Result<Shipped, Problem> {
        tracing::info!("order accepted");
        let outcome = self.ship(context).await;
        let function = &self.order.function;
        match &outcome {
            Ok(shipped) => {
                tracing::info!(image = shipped.image, seconds = shipped.seconds, "deployed");
                self.audit(format!("deployed {function} as {}", shipped.image)).await;
            }
            Err(problem) => self.audit(format!("{function} was not deployed: {}", problem.failure.public())).await,
        }
        outcome
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
        Ok(built)
    }

    /// Deploys, unless somebody else took the name while the image was built.
    async fn deploy(&self, mut deployment: FunctionDeployment, name: &ServiceName) -> Result<(), Problem> {
        let config = &self.app.config;
        let restart = !self.order.event.restart.is_empty();
        match ownership::current(&config.gateway, &self.order.event, name).await? {
            Some(deployed) => keep_time_if_same(&mut deployment, &deployed, restart),
            None if restart => return Err(Failure::refused("it is not deployed any more: nothing to restart").into()),
            None => {}
        }
        tracing::info!(image = deployment.image, "deploying");
        rollout::roll_out(&config.gateway, &deployment, config.ready_timeout).await
    }

    async fn audit(&self, message: String) {
        let function = self.order.function.to_string();
        let event = AuditEvent { message, function, ..AuditEvent::about(&self.order.event) };
        self.app.auditor.send(event, &self.call).await;
    }
}

fn existing(image: &str) -> Result<String, Failure> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"./:_-@".contains(&b);
    let usable = !image.is_empty() && image.len() <= MAX_IMAGE && image.bytes().all(plain);
    if usable { Ok(image.to_owned()) } else { Err(Failure::refused("the image's name is not one")) }
}
