//! The gateway as a program of its own: its settings, sockets and signals.
//!
//! | signal | what it does |
//! |---|---|
//! | SIGTERM, SIGINT | ends in order |
//! | SIGHUP | reads the credentials anew |
//! | SIGUSR2 | lets requests end, then becomes the program that is now in its place, without closing a socket |

mod arguments;
mod lines;
mod logging;
mod metrics;
mod program;
mod settings;
mod signals;
mod sockets;
mod supervisor;

use anyhow::Context as _;
use of_gateway::{Config, Credentials, Gateway, Stop};
use openfaas_runtime::Env;
use tokio::task::JoinSet;

pub(crate) use self::arguments::Arguments;
use self::metrics::Metrics;
pub(crate) use self::program::Program;
use self::settings::Settings;
use self::signals::Signal;
pub(crate) use self::signals::Signals;
pub(crate) use self::sockets::Inherited;
use self::sockets::Sockets;

/// Serves until told to stop, over restarts that do not come about.
pub(crate) async fn run(program: &Program, arguments: &Arguments, inherited: Inherited) -> anyhow::Result<()> {
    let mut settings = Settings::from_env(&Env::from_process())?;
    if arguments.check {
        return Ok(());
    }
    settings.log.start();
    let signals = Signals::listen()?;
    let mut sockets = inherited.or_bind(arguments)?;
    loop {
        let gateway = Gateway::start(settings.config.clone()).await.context("the gateway cannot start")?;
        if !serve(gateway, program, &mut settings, &mut sockets, &signals).await? {
            return Ok(());
        }
        let error = program.replace(&sockets);
        tracing::error!(error = format!("{error:#}"), "The new program cannot be executed; the old one goes on.");
    }
}

/// Serves with one gateway to its end. Answers whether a successor is to go on.
async fn serve(
    gateway: Gateway,
    program: &Program,
    settings: &mut Settings,
    sockets: &mut Sockets,
    signals: &Signals,
) -> anyhow::Result<bool> {
    let (stop, credentials) = (Stop::default(), gateway.credentials());
    let port = sockets.port()?;
    let metrics = sockets.metrics()?.map(|listener| Metrics::serve(listener, gateway.metrics())).transpose()?;
    tracing::info!(address = %port.listener.local_addr()?, instance = gateway.instance(), "The gateway is ready.");
    let mut serving = tokio::spawn(gateway.serve_until(port, stop.clone()));
    supervisor::ready();
    let (mut checks, mut ending, mut successor) = (JoinSet::new(), false, false);
    loop {
        tokio::select! {
            ended = &mut serving => {
                sockets.left = ended??;
                break;
            }
            signal = signals.next() => match signal? {
                Signal::End => {
                    (ending, successor) = (true, false);
                    supervisor::stopping();
                    stop.end(settings.config.graces);
                }
                Signal::Reload => reload(&mut settings.config, &credentials),
                Signal::Restart if ending || !checks.is_empty() => {}
                Signal::Restart => drop(checks.spawn(program.clone().check())),
            },
            Some(checked) = checks.join_next(), if !ending => match checked? {
                Ok(()) => {
                    (ending, successor) = (true, true);
                    tracing::info!("The gateway restarts: it lets requests end, then goes on as a new program.");
                    stop.hand_over(settings.restart_graces());
                }
                Err(refused) => tracing::error!(error = %refused, "There is no restart: the new program refuses."),
            },
        }
    }
    if let Some(metrics) = metrics {
        metrics.end().await;
    }
    // A restart that is under way is all that another one would be, and reads everything anew.
    while let Some(signal) = signals.pending()? {
        successor &= signal != Signal::End;
    }
    Ok(successor)
}

/// Only files can change under a running process: those of the credentials.
fn reload(config: &mut Config, credentials: &Credentials) {
    supervisor::reloading();
    match Config::from_env(&Env::from_process()) {
        Ok(new) => {
            let changed = credentials.replace(&new.user, &new.password);
            (config.user, config.password) = (new.user, new.password);
            tracing::info!(changed, "The credentials were read anew.");
        }
        Err(error) => {
            let error = error.to_string();
            tracing::error!(error, "The credentials cannot be read anew; those of before stay.");
        }
    }
    supervisor::ready();
}
