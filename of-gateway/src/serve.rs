//! The order in which a gateway ends.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinError;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::config::{Config, Graces};
use crate::inside::{self, Before};
use crate::port::threads::Threads;
use crate::port::{self, Door, Left, Port};
use crate::rollout::{health, reconcile};
use crate::start::Gateway;
use crate::{cron, history, scaling, worker};

/// What needs no more than to be looked at is never cut off.
const MOMENT: Duration = Duration::from_millis(20);
/// How often it is looked whether calls are under way, once nobody from outside is there any more.
const LOOK: Duration = Duration::from_millis(5);

/// Tells a gateway to end, and how. Clones tell the same gateway.
#[derive(Debug, Clone)]
pub struct Stop(Arc<watch::Sender<Option<Order>>>);

#[derive(Debug, Clone, Copy)]
struct Order {
    graces: Graces,
    hand_over: bool,
}

impl Default for Stop {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl Stop {
    /// The gateway ends. What is said later holds, also for what is under way: an end can be hurried.
    pub fn end(&self, graces: Graces) {
        self.0.send_replace(Some(Order { graces, hand_over: false }));
    }

    /// The gateway ends, and leaves its idle connections to a successor.
    pub fn hand_over(&self, graces: Graces) {
        self.0.send_replace(Some(Order { graces, hand_over: true }));
    }

    fn orders(&self) -> Orders {
        Orders(self.0.subscribe())
    }
}

/// What a gateway's parts are told of its [`Stop`].
#[derive(Debug, Clone)]
pub(crate) struct Orders(watch::Receiver<Option<Order>>);

impl Orders {
    async fn given(&mut self) {
        if self.0.wait_for(Option::is_some).await.is_err() {
            // Nobody is left who could tell.
            std::future::pending().await
        }
    }

    pub(crate) fn hand_over(&self) -> bool {
        self.0.borrow().is_some_and(|order| order.hand_over)
    }

    /// The work's outcome, or `None` if it takes longer than the latest order gives this part.
    pub(crate) async fn patient<T>(self, part: fn(&Graces) -> Duration, work: impl Future<Output = T>) -> Option<T> {
        self.patient_since(Instant::now(), part, work).await
    }

    /// The same for work that is the end of something that began earlier. A moment it gets in any case.
    pub(crate) async fn patient_since<T>(
        mut self,
        began: Instant,
        part: fn(&Graces) -> Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let soonest = Instant::now() + MOMENT;
        tokio::pin!(work);
        loop {
            let grace = self.0.borrow_and_update().map_or(Duration::ZERO, |order| part(&order.graces));
            tokio::select! {
                done = &mut work => return Some(done),
                () = sleep_until((began + grace).max(soonest)) => return None,
                Ok(()) = self.0.changed() => {}
            }
        }
    }
}

/// Starts a gateway and serves until `shutdown`.
pub async fn serve(config: Config, listener: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
    Gateway::start(config).await?.serve(listener, shutdown).await
}

/// Resolves when nobody from outside is there any more and no call is under way.
async fn quiet(app: &App) {
    app.visitors.wait().await;
    while app.functions.all().iter().any(|function| function.invocations.in_flight() > 0) {
        sleep(LOOK).await;
    }
}

fn broken(part: &str, ended: Result<(), JoinError>) -> anyhow::Error {
    match ended {
        Ok(()) => anyhow!("{part} ended by itself"),
        Err(error) => anyhow!(error).context(format!("{part} failed")),
    }
}

impl Gateway {
    /// Serves until `shutdown`, then ends with the graces of the configuration.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
        let (stop, graces) = (Stop::default(), self.app.config.graces);
        let serving = self.serve_until(listener.into(), stop.clone());
        tokio::pin!(serving);
        tokio::select! {
            ended = &mut serving => return ended.map(drop),
            () = shutdown.cancelled() => stop.end(graces),
        }
        serving.await.map(drop)
    }

    /// Serves until it is told to stop, then ends in order: no more queued calls are begun; those that run get time
    /// to end, with the port still open because they may call other functions; then the port closes, first to everybody
    /// but functions, and its requests end. Containers go on running. Answers with what is left to a successor.
    pub async fn serve_until(self, port: Port, stop: Stop) -> anyhow::Result<Left> {
        let Port { listener, left: Left { connections, inside, inside_connections } } = port;
        let app = self.app;
        let mut orders = stop.orders();
        app.callbacks.listening(listener.local_addr()?);
        let threads = Arc::new(Threads::start().context("the threads that serve connections cannot be started")?);
        let (resting, hurry) = (CancellationToken::new(), CancellationToken::new());
        let mut monitor = tokio::spawn(reconcile::monitor(Arc::clone(&app)));
        let mut scaler = tokio::spawn(scaling::run(Arc::clone(&app)));
        let mut health = tokio::spawn(health::run(Arc::clone(&app)));
        let history = tokio::spawn(history::run(Arc::clone(&app)));
        let cron = tokio::spawn(cron::run(Arc::clone(&app)));
        let mut worker = tokio::spawn(worker::run(Arc::clone(&app), resting.clone(), hurry.clone()));
        let before = Before { listener: inside, connections: inside_connections };
        let inside = inside::listen(Arc::clone(&app), listener.local_addr()?, before, orders.clone());
        let inside = tokio::spawn(inside);
        let front =
            port::serve(Arc::clone(&app), listener, connections, Door::Front(Arc::clone(&threads)), orders.clone());
        let front = tokio::spawn(front);
        // None of them ends before it is told to, unless it is broken; then a supervisor starts the gateway anew.
        tokio::select! {
            () = orders.given() => {}
            ended = &mut monitor => return Err(broken("the engine's monitor", ended)),
            ended = &mut scaler => return Err(broken("scaling", ended)),
            ended = &mut health => return Err(broken("health checking", ended)),
            ended = &mut worker => return Err(broken("the queue's worker", ended)),
        }
        resting.cancel();
        match orders.clone().patient(|graces| graces.calls, &mut worker).await {
            Some(ended) => ended?,
            None => {
                hurry.cancel();
                worker.await?;
            }
        }
        app.closing.cancel();
        app.visitors.close();
        // Until then functions are let in, because what is under way may need them.
        orders.clone().patient(|graces| graces.connections, quiet(&app)).await;
        app.quiet.cancel();
        cron.await?;
        let connections = front.await?;
        let inside = inside.await?;
        app.shutdown.cancel();
        app.tasks.close();
        if orders.patient(|graces| graces.deployments, app.tasks.wait()).await.is_none() {
            tracing::warn!("Deployments were cut off; what they left behind is cleared at the next start.");
        }
        monitor.abort();
        health.abort();
        scaler.abort();
        history.abort();
        app.queue.close().await?;
        Ok(Left { connections, inside: inside.listener, inside_connections: inside.connections })
    }
}
