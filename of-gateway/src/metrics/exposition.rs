//! Everything that is counted, as Prometheus reads it.

use std::collections::BTreeMap;
use std::sync::Arc;

use prometheus::TextEncoder;
use prometheus::proto::{Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};
use queue::LaneCounts;

use crate::app::App;
use crate::functions::{Backend, Function};

/// One metric with its labels' values.
struct Family {
    inner: MetricFamily,
    labels: &'static [&'static str],
    metrics: Vec<Metric>,
}

impl Family {
    fn new(kind: MetricType, name: &str, help: &str, labels: &'static [&'static str]) -> Self {
        let mut inner = MetricFamily::default();
        inner.set_name(name.to_owned());
        inner.set_help(help.to_owned());
        inner.set_field_type(kind);
        Self { inner, labels, metrics: Vec::new() }
    }

    fn counter(name: &str, help: &str, labels: &'static [&'static str]) -> Self {
        Self::new(MetricType::COUNTER, name, help, labels)
    }

    fn gauge(name: &str, help: &str, labels: &'static [&'static str]) -> Self {
        Self::new(MetricType::GAUGE, name, help, labels)
    }

    fn histogram(name: &str, help: &str, labels: &'static [&'static str]) -> Self {
        Self::new(MetricType::HISTOGRAM, name, help, labels)
    }

    fn labelled(&mut self, values: &[&str]) -> &mut Metric {
        let pairs = self.labels.iter().zip(values).map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        });
        self.metrics.push(Metric::from_label(pairs.collect()));
        let last = self.metrics.len() - 1;
        &mut self.metrics[last]
    }

    fn count(&mut self, values: &[&str], number: f64) {
        let mut counter = Counter::default();
        counter.set_value(number);
        self.labelled(values).set_counter(counter);
    }

    fn set(&mut self, values: &[&str], number: f64) {
        let mut gauge = Gauge::default();
        gauge.set_value(number);
        self.labelled(values).set_gauge(gauge);
    }

    fn times(&mut self, values: &[&str], histogram: Histogram) {
        self.labelled(values).set_histogram(histogram);
    }

    /// `None` if there is nothing to say.
    fn finish(mut self) -> Option<MetricFamily> {
        if self.metrics.is_empty() {
            return None;
        }
        self.inner.set_metric(self.metrics);
        Some(self.inner)
    }
}

/// The page that is scraped.
pub(super) fn text(app: &Arc<App>, lanes: &[LaneCounts]) -> prometheus::Result<String> {
    let functions = app.functions.all();
    let families = calls(&functions)
        .into_iter()
        .chain(replicas(&functions))
        .chain(containers(app))
        .chain(management(app))
        .chain(queues(app))
        .chain(lanes_of_queues(lanes))
        .filter_map(Family::finish);
    TextEncoder::new().encode_to_string(&families.collect::<Vec<_>>())
}

fn calls(functions: &[Arc<Function>]) -> [Family; 4] {
    const ONE: &[&str] = &["function_name"];
    const BOTH: &[&str] = &["function_name", "code"];
    let mut total = Family::counter("gateway_function_invocation_total", "Calls that ended.", BOTH);
    let mut times = Family::histogram("gateway_functions_seconds", "From a call's arrival to its end.", BOTH);
    let mut started = Family::counter("gateway_function_invocation_started", "Calls that began.", ONE);
    let mut in_flight =
        Family::gauge("gateway_invocation_function_invocation_inflight", "Calls that are under way.", ONE);
    for function in functions {
        let (name, invocations) = (function.id.to_string(), &function.invocations);
        for (code, histogram) in invocations.ended() {
            let labels = [name.as_str(), &code.to_string()];
            total.count(&labels, histogram.get_sample_count() as f64);
            times.times(&labels, histogram);
        }
        started.count(&[&name], invocations.started() as f64);
        in_flight.set(&[&name], invocations.in_flight() as f64);
    }
    [total, times, started, in_flight]
}

fn replicas(functions: &[Arc<Function>]) -> [Family; 4] {
    const LABELS: &[&str] = &["function_name"];
    let mut count = Family::gauge("gateway_service_count", "Replicas that there are to be.", LABELS);
    let mut ready = Family::gauge("gateway_service_ready_count", "Replicas that take calls.", LABELS);
    let mut min = Family::gauge("gateway_service_min", "Replicas that there are at least.", LABELS);
    let mut target = Family::gauge("gateway_service_target", "Load that one replica is to carry.", LABELS);
    for function in functions {
        let name = function.id.to_string();
        let labels = [name.as_str()];
        match &function.backend {
            Backend::Platform(_) => {
                for family in [&mut count, &mut ready, &mut min] {
                    family.set(&labels, 1.0);
                }
            }
            Backend::Containers(containers) => {
                let policy = &containers.settings.scaling;
                count.set(&labels, containers.replicas.len() as f64);
                ready.set(&labels, containers.available() as f64);
                min.set(&labels, f64::from(policy.min));
                if let Some(wanted) = &policy.target {
                    target.set(&labels, wanted.load);
                }
            }
        }
    }
    [count, ready, min, target]
}

fn containers(app: &Arc<App>) -> [Family; 2] {
    const LABELS: &[&str] = &["function_name", "pod"];
    let mut cpu = Family::counter("pod_cpu_usage_seconds_total", "Processor time of a container.", LABELS);
    let mut memory = Family::gauge("pod_memory_working_set_bytes", "Memory of a container.", LABELS);
    for sample in app.metrics.containers.latest(app) {
        let name = sample.function.to_string();
        let labels = [name.as_str(), sample.instance.as_str()];
        cpu.count(&labels, sample.figures.cpu_seconds);
        memory.set(&labels, sample.figures.working_set);
    }
    [cpu, memory]
}

fn management(app: &App) -> [Family; 2] {
    const LABELS: &[&str] = &["method", "path", "status"];
    let mut total = Family::counter("http_requests_total", "Requests of the management API.", LABELS);
    let mut times = Family::histogram("http_request_duration_seconds", "How long they took.", LABELS);
    for (key, histogram) in app.metrics.management.ended() {
        let labels = [key.method, key.path.as_str(), &key.status.to_string()];
        total.count(&labels, histogram.get_sample_count() as f64);
        times.times(&labels, histogram);
    }
    [total, times]
}

fn queues(app: &App) -> [Family; 2] {
    let mut submitted =
        Family::counter("queue_worker_messages_submitted_total", "Calls that were queued.", &["queue_name"]);
    let mut processed = Family::counter(
        "queue_worker_messages_processed_total",
        "Queued calls that are finished or given up.",
        &["queue_name", "status"],
    );
    for (queue, count) in app.metrics.queues.all_submitted() {
        submitted.count(&[&queue], count as f64);
    }
    for ((queue, status), count) in app.metrics.queues.all_processed() {
        processed.count(&[&queue, &status.to_string()], count as f64);
    }
    [submitted, processed]
}

fn lanes_of_queues(lanes: &[LaneCounts]) -> [Family; 2] {
    let mut pending = Family::gauge("queue_worker_pending_messages", "Queued calls that wait or run.", &["queue_name"]);
    let mut dead = Family::gauge("queue_worker_dead_messages", "Queued calls that were given up.", &["queue_name"]);
    let mut sums = BTreeMap::<&str, (u64, u64)>::new();
    for counts in lanes {
        let sum = sums.entry(&counts.lane.queue).or_default();
        sum.0 += counts.waiting + counts.running;
        sum.1 += counts.dead;
    }
    for (queue, (waiting, given_up)) in sums {
        pending.set(&[queue], waiting as f64);
        dead.set(&[queue], given_up as f64);
    }
    [pending, dead]
}
