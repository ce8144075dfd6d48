//! What one namespace may hold: functions, replicas, and the memory and processors that its replicas may use together.
//!
//! The operator sets the bounds for all namespaces, and annotations of a namespace set its own. A function scaled to
//! zero counts as one replica, so that it can always come back.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use openfaas_runtime::{Invalid, Reader};
use sdk::gateway::FunctionDeployment;

use crate::app::App;
use crate::engine::{cpu, memory};
use crate::functions::FunctionId;

const PREFIX: &str = "com.openfaas.quota.";

/// Bounds of one namespace; what is `None` has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quota {
    /// Functions.
    pub functions: Option<u64>,
    /// Replicas of all functions together.
    pub replicas: Option<u64>,
    /// Bytes of memory, of all replicas together.
    pub memory: Option<i64>,
    /// Billionths of a processor, of all replicas together.
    pub cpu: Option<i64>,
}

/// A change that would break a bound.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "the namespace {namespace} may have {limit} {what} and would have {wanted}; remove something, or raise its quota"
)]
pub(crate) struct QuotaError {
    namespace: String,
    what: &'static str,
    limit: String,
    wanted: String,
}

impl Quota {
    /// The bounds for all namespaces: `quota_functions`, `quota_replicas`, `quota_memory` (as `4Gi`), `quota_cpu` (as `2`).
    pub(crate) fn from_env(r: &Reader<'_>) -> Result<Self, Invalid> {
        let texts = |name: &str| r.or::<String>(&format!("quota_{name}"), String::new());
        let all = ["functions", "replicas", "memory", "cpu"].map(|name| (name, texts(name)));
        let mut quota = Self::default();
        for (name, text) in all {
            let text = text?;
            if let Err(rule) = quota.set(name, &text) {
                return Err(r.invalid(&format!("quota_{name}"), rule));
            }
        }
        Ok(quota)
    }

    /// These bounds with those that the annotations of a namespace name; an error is a sentence.
    pub(crate) fn with(&self, annotations: &BTreeMap<String, String>) -> Result<Self, String> {
        let mut quota = self.clone();
        for (key, text) in annotations {
            let Some(name) = key.strip_prefix(PREFIX) else { continue };
            quota.set(name, text.trim()).map_err(|rule| format!("the annotation {key} is \"{text}\" and {rule}"))?;
        }
        Ok(quota)
    }

    fn set(&mut self, name: &str, text: &str) -> Result<(), String> {
        if text.is_empty() {
            return Ok(());
        }
        let number = || text.parse::<u64>().map(Some).map_err(|_| "has to be a whole number".to_owned());
        match name {
            "functions" => self.functions = number()?,
            "replicas" => self.replicas = number()?,
            "memory" => self.memory = Some(memory(text).map_err(|error| format!("cannot be used: {error}"))?),
            "cpu" => self.cpu = Some(cpu(text).map_err(|error| format!("cannot be used: {error}"))?),
            _ => return Err("is none of functions, replicas, memory and cpu".to_owned()),
        }
        Ok(())
    }

    fn check(&self, namespace: &str, total: &Total) -> Result<(), QuotaError> {
        let broken = |what, limit: String, wanted: String| {
            Err(QuotaError { namespace: namespace.to_owned(), what, limit, wanted })
        };
        if let Some(limit) = self.functions.filter(|limit| total.functions > *limit) {
            return broken("functions", limit.to_string(), total.functions.to_string());
        }
        if let Some(limit) = self.replicas.filter(|limit| total.replicas > *limit) {
            return broken("replicas", limit.to_string(), total.replicas.to_string());
        }
        if let Some(limit) = self.memory.filter(|limit| total.memory > *limit) {
            let mib = |bytes: i64| format!("{}Mi", bytes >> 20);
            return broken("of memory", mib(limit), mib(total.memory));
        }
        if let Some(limit) = self.cpu.filter(|limit| total.cpu > *limit) {
            let millis = |nanos: i64| format!("{}m", nanos / 1_000_000);
            return broken("of processors", millis(limit), millis(total.cpu));
        }
        Ok(())
    }
}

/// What one function takes of its namespace's quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    replicas: u64,
    /// Bytes, per replica.
    memory: i64,
    /// Billionths of a processor, per replica.
    cpu: i64,
}

impl Share {
    /// Of a deployment with so many replicas. Limits that cannot be read are refused elsewhere.
    pub(crate) fn of(app: &App, spec: &FunctionDeployment, replicas: usize) -> Self {
        let defaults = &app.config.limits;
        let limits = spec.limits.clone().unwrap_or_default();
        let either = |own: &str, default: &str| if own.is_empty() { default.to_owned() } else { own.to_owned() };
        Self {
            replicas: (replicas as u64).max(1),
            memory: memory(&either(&limits.memory, &defaults.memory)).unwrap_or(0),
            cpu: cpu(&either(&limits.cpu, &defaults.cpu)).unwrap_or(0),
        }
    }
}

/// What the functions of one namespace take together.
#[derive(Debug, Default)]
struct Total {
    functions: u64,
    replicas: u64,
    memory: i64,
    cpu: i64,
}

/// What every function takes. Checked and taken in one step, so that two deployments at once cannot both get the
/// last of it.
#[derive(Debug, Default)]
pub(crate) struct Quotas {
    shares: Mutex<HashMap<FunctionId, Share>>,
}

impl Quotas {
    /// Takes a share in place of the function's former one. Dropped without [`Taken::keep`], the former one is back.
    pub(crate) fn take(&self, id: &FunctionId, share: Share, quota: &Quota) -> Result<Taken<'_>, QuotaError> {
        let mut shares = self.lock();
        let mut total = Total::default();
        let others = shares.iter().filter(|(other, _)| other.namespace == id.namespace && *other != id);
        for share in others.map(|(_, share)| share).chain([&share]) {
            let replicas = i64::try_from(share.replicas).unwrap_or(i64::MAX);
            total.functions += 1;
            total.replicas += share.replicas;
            total.memory = total.memory.saturating_add(share.memory.saturating_mul(replicas));
            total.cpu = total.cpu.saturating_add(share.cpu.saturating_mul(replicas));
        }
        quota.check(&id.namespace, &total)?;
        let former = shares.insert(id.clone(), share);
        Ok(Taken { quotas: self, id: id.clone(), former, kept: false })
    }

    /// Notes what runs already, whatever the quota says.
    pub(crate) fn note(&self, id: &FunctionId, share: Share) {
        self.lock().insert(id.clone(), share);
    }

    pub(crate) fn give_back(&self, id: &FunctionId) {
        self.lock().remove(id);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<FunctionId, Share>> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A share that is taken for a change that may still fail.
#[derive(Debug)]
pub(crate) struct Taken<'a> {
    quotas: &'a Quotas,
    id: FunctionId,
    former: Option<Share>,
    kept: bool,
}

impl Taken<'_> {
    /// The change is done.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        match self.former {
            Some(former) => self.quotas.note(&self.id, former),
            None => self.quotas.give_back(&self.id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: Share = Share { replicas: 2, memory: 128 << 20, cpu: 500_000_000 };

    fn id(name: &str) -> FunctionId {
        FunctionId::new(name, "staging")
    }

    fn quota(pairs: &[(&str, &str)]) -> Result<Quota, String> {
        let annotations = pairs.iter().map(|(name, value)| (format!("{PREFIX}{name}"), (*value).to_owned()));
        Quota::default().with(&annotations.collect())
    }

    #[test]
    fn each_bound_is_kept_and_named() {
        for (bound, part) in [
            (("functions", "1"), "1 functions and would have 2"),
            (("replicas", "3"), "3 replicas and would have 4"),
            (("memory", "500Mi"), "500Mi of memory and would have 512Mi"),
            (("cpu", "1.5"), "1500m of processors and would have 2000m"),
        ] {
            let (quotas, quota) = (Quotas::default(), quota(&[bound]).unwrap());
            quotas.take(&id("one"), SHARE, &quota).unwrap().keep();
            let refused = quotas.take(&id("two"), SHARE, &quota).unwrap_err().to_string();
            assert!(refused.contains(part), "{refused}");
            quotas.take(&FunctionId::new("two", "other"), SHARE, &quota).unwrap().keep();
            quotas.take(&id("one"), SHARE, &quota).unwrap().keep();
            quotas.give_back(&id("one"));
            quotas.take(&id("two"), SHARE, &quota).unwrap().keep();
        }
    }

    #[test]
    fn a_change_that_fails_gives_back_what_it_took() {
        let (quotas, quota) = (Quotas::default(), quota(&[("functions", "1")]).unwrap());
        drop(quotas.take(&id("one"), SHARE, &quota).unwrap());
        quotas.take(&id("two"), SHARE, &quota).unwrap().keep();
        drop(quotas.take(&id("two"), Share { replicas: 9, ..SHARE }, &quota).unwrap());
        assert_eq!(quotas.lock()[&id("two")], SHARE);
    }

    #[test]
    fn bounds_that_cannot_be_read_are_refused_by_name() {
        for (name, bad) in [("functions", "many"), ("memory", "1"), ("cpu", "x"), ("disk", "1")] {
            let sentence = quota(&[(name, bad)]).unwrap_err();
            assert!(sentence.contains(&format!("{PREFIX}{name}")), "{sentence}");
        }
        assert_eq!(quota(&[]).unwrap(), Quota::default());
    }
}
