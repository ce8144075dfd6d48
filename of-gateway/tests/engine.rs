//! Functions as containers of a real engine.

#[path = "engine/alert.rs"]
mod alert;
#[path = "engine/bench.rs"]
mod bench;
#[path = "engine/confinement.rs"]
mod confinement;
#[path = "engine/described.rs"]
mod described;
#[path = "engine/engine_restart.rs"]
mod engine_restart;
#[path = "engine/health.rs"]
mod health;
#[path = "engine/image.rs"]
mod image;
#[path = "engine/inside.rs"]
mod inside;
#[path = "engine/invocation.rs"]
mod invocation;
#[path = "engine/isolation.rs"]
mod isolation;
#[path = "engine/killed.rs"]
mod killed;
#[path = "engine/lifecycle.rs"]
mod lifecycle;
#[path = "engine/logs.rs"]
mod logs;
#[path = "engine/metrics.rs"]
mod metrics;
#[path = "engine/monitor.rs"]
mod monitor;
#[path = "engine/namespaces.rs"]
mod namespaces;
#[path = "engine/own_engine.rs"]
mod own_engine;
#[path = "engine/queued.rs"]
mod queued;
#[path = "engine/recovery.rs"]
mod recovery;
#[path = "engine/refused.rs"]
mod refused;
#[path = "engine/registry.rs"]
mod registry;
#[path = "engine/restart.rs"]
mod restart;
#[path = "engine/scaling.rs"]
mod scaling;
#[path = "engine/secrets.rs"]
mod secrets;
mod support;
