//! What the functions' containers use, between two measurements of the engine.

use std::collections::HashMap;
use std::time::Instant;

use super::record::{Gauges, MEMORY_UNIT};
use crate::functions::{Backend, Function, FunctionId};
use crate::metrics::Sample;

/// What all replicas of one function use together.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Use {
    memory: f64,
    /// Unknown until a container was measured twice.
    cpu: Option<f64>,
}

#[derive(Default)]
pub(super) struct Uses {
    /// When the last measurement was.
    pub(super) measured: Option<Instant>,
    /// The processor time of each container then.
    cpu_seconds: HashMap<(FunctionId, String), f64>,
    by_function: HashMap<FunctionId, Use>,
}

impl Uses {
    /// Takes a new measurement in. What is not in it is not there any more, or was not measured.
    pub(super) fn take(&mut self, at: Instant, samples: Vec<Sample>) {
        let passed = self.measured.replace(at).map(|before| at.saturating_duration_since(before).as_secs_f64());
        let before = std::mem::take(&mut self.cpu_seconds);
        self.by_function.clear();
        for Sample { function, instance, figures } in samples {
            let sum = self.by_function.entry(function.clone()).or_default();
            sum.memory += figures.working_set;
            let container = (function, instance);
            if let (Some(passed), Some(then)) = (passed.filter(|passed| *passed > 0.0), before.get(&container)) {
                *sum.cpu.get_or_insert(0.0) += (figures.cpu_seconds - then).max(0.0) / passed;
            }
            self.cpu_seconds.insert(container, figures.cpu_seconds);
        }
    }

    /// What is so of a function now.
    pub(super) fn gauges(&self, function: &Function) -> Gauges {
        let replicas = match &function.backend {
            Backend::Platform(_) => 1,
            Backend::Containers(containers) => containers.replicas.len() as u64,
        };
        // A function at zero uses nothing, whatever was measured a minute ago.
        let uses = self.by_function.get(&function.id).filter(|_| replicas > 0);
        Gauges {
            replicas,
            memory: uses.map(|uses| uses.memory as u64 / MEMORY_UNIT),
            cpu: uses.and_then(|uses| uses.cpu).map(|cpu| (cpu * 1000.0) as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::Figures;

    fn sample(instance: &str, cpu_seconds: f64) -> Sample {
        let figures = Figures { cpu_seconds, working_set: 1e6 };
        Sample { function: FunctionId::new("f", "ns"), instance: instance.to_owned(), figures }
    }

    #[test]
    fn processors_are_told_from_two_measurements_and_memory_from_one() {
        let (mut uses, id, began) = (Uses::default(), FunctionId::new("f", "ns"), Instant::now());
        uses.take(began, vec![sample("a", 1.0)]);
        assert_eq!(uses.by_function[&id], Use { memory: 1e6, cpu: None });
        uses.take(began + Duration::from_secs(10), vec![sample("a", 6.0), sample("new", 100.0)]);
        assert_eq!(uses.by_function[&id], Use { memory: 2e6, cpu: Some(0.5) });
        // One that was started anew begins at zero.
        uses.take(began + Duration::from_secs(20), vec![sample("a", 0.1)]);
        assert_eq!(uses.by_function[&id].cpu, Some(0.0));
        uses.take(began + Duration::from_secs(30), Vec::new());
        assert!(uses.by_function.is_empty() && uses.cpu_seconds.is_empty());
    }
}
