//! A function as a process of its own.

use std::process::ExitCode;

use axum::Router;

use crate::config::{Config, lock_path};
use crate::env::{ConfigError, Env};
use crate::serve::{Listeners, serve};
use crate::shutdown::Signals;
use crate::{logging, panics};

/// `EX_CONFIG` of `sysexits.h`: starting again will not help.
const BAD_CONFIGURATION: u8 = 78;

/// Serves `router` until SIGTERM or SIGINT, and tells how that went: 0 after a stop, 78 when the
/// configuration is wrong (every problem is logged), 1 when it could not listen.
///
/// With the argument `--run-healthcheck` it only looks whether the lock file is there: 0 or 1.
pub fn run(router: fn(&Env) -> Result<Router, ConfigError>) -> ExitCode {
    let env = Env::from_process();
    if std::env::args().nth(1).as_deref() == Some("--run-healthcheck") {
        return if lock_path(&env).exists() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
    }
    let (config, router) = match prepare(&env, router) {
        Ok(prepared) => prepared,
        Err(problems) => return problems.report(),
    };
    match start(config, router) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = &*error, "could not serve the function");
            ExitCode::FAILURE
        }
    }
}

/// Reads everything that can be wrong before anything is reported.
fn prepare(env: &Env, router: fn(&Env) -> Result<Router, ConfigError>) -> Result<(Config, Router), Problems> {
    let reader = env.reader();
    let logged = logging::start(env, &reader).map_err(|_| ());
    panics::log_panics();
    let config = Config::from_env(env);
    let router = router(env);
    match (logged, config, router) {
        (Ok(()), Ok(config), Ok(router)) => Ok((config, router)),
        (_, config, router) => Err(Problems([reader.finish().err(), config.err(), router.err()])),
    }
}

/// What is wrong with logging, runtime and function.
struct Problems([Option<ConfigError>; 3]);

impl Problems {
    fn report(&self) -> ExitCode {
        for problem in self.0.iter().flatten().flat_map(ConfigError::problems) {
            tracing::error!(
                variable = problem.name,
                "configuration: {} {}",
                problem.name,
                problem.reason
            );
        }
        ExitCode::from(BAD_CONFIGURATION)
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn start(config: Config, router: Router) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime
        .block_on(async {
            let mut signals = Signals::listen()?;
            let listeners = Listeners::bind(&config).await?;
            tracing::info!(
                port = listeners.http.local_addr()?.port(),
                metrics_port = listeners.metrics.local_addr()?.port(),
                "serving"
            );
            let (stopping, stop) = tokio::sync::oneshot::channel();
            let watch_signals = async move {
                let signal = signals.next().await;
                tracing::info!(signal, "stopping: no new requests, waiting for those under way");
                let _ = stopping.send(());
                // Whoever asks twice does not want to wait.
                let signal = signals.next().await;
                tracing::warn!(signal, "stopping at once");
            };
            let stop = async {
                let _ = stop.await;
            };
            tokio::select! {
                result = serve(config, router, listeners, stop) => result?,
                () = watch_signals => {}
            }
            Ok(())
        })
        // Dropping the runtime waits for blocking work; the process ends instead.
        .inspect(|()| tracing::info!("stopped"))
}
