//! Memory and processors: what a function gets, and the most that its author may wish for.

use sdk::gateway::Resources;
use sdk::{Invalid, Reader};

use super::Refused;
use crate::quantity::{cpu, memory, show_cpu, show_memory};

const MIB: u64 = 1024 * 1024;
/// Container engines start nothing with less.
const MIN_MEMORY: u64 = 6 * MIB;
const MIN_CPU: u64 = 10;

/// A default and a maximum.
#[derive(Debug, Clone, Copy)]
struct Bound {
    usual: u64,
    max: u64,
}

#[derive(Debug)]
pub(super) struct Bounds {
    /// `function_memory_limit_mb`, `function_memory_limit_mb_max`, in bytes.
    memory: Bound,
    /// `function_cpu_limit_milli`, `function_cpu_limit_milli_max`.
    cpu: Bound,
    /// `function_cpu_requests_milli`, `function_cpu_requests_milli_max`.
    cpu_request: Bound,
}

impl Bounds {
    pub(super) fn read(r: &Reader<'_>) -> Result<Self, Invalid> {
        let memory = bound(r, "function_memory_limit_mb", Bound { usual: 128, max: 512 }, MIN_MEMORY / MIB);
        let cpu = bound(r, "function_cpu_limit_milli", Bound { usual: 500, max: 1000 }, MIN_CPU);
        let cpu_request = bound(r, "function_cpu_requests_milli", Bound { usual: 100, max: 500 }, MIN_CPU);
        let memory = memory?;
        Ok(Self {
            memory: Bound { usual: memory.usual.saturating_mul(MIB), max: memory.max.saturating_mul(MIB) },
            cpu: cpu?,
            cpu_request: cpu_request?,
        })
    }

    /// Limits and requests for a function, in the gateway's notation.
    pub(super) fn grant(
        &self,
        limits: Option<&Resources>,
        requests: Option<&Resources>,
    ) -> Result<(Resources, Resources), Refused> {
        let wish = |wishes: Option<&Resources>, of: fn(&Resources) -> &String| {
            wishes.map(of).filter(|text| !text.is_empty()).cloned()
        };
        let memory_limit = self.memory.grant_memory("limits.memory", wish(limits, |r| &r.memory))?;
        let cpu_limit = self.cpu.grant_cpu("limits.cpu", wish(limits, |r| &r.cpu))?;
        let memory_request = match wish(requests, |r| &r.memory) {
            Some(text) => show_memory(at_most(
                "requests.memory",
                memory_limit,
                read_memory("requests.memory", &text)?,
                show_memory,
            )?),
            None => String::new(),
        };
        let cpu_request = match wish(requests, |r| &r.cpu) {
            Some(text) => {
                let wished = self.cpu_request.grant_cpu("requests.cpu", Some(text))?;
                at_most("requests.cpu", cpu_limit, wished, show_cpu)?
            }
            None => self.cpu_request.usual.min(cpu_limit),
        };
        Ok((
            Resources { memory: show_memory(memory_limit), cpu: show_cpu(cpu_limit) },
            Resources { memory: memory_request, cpu: show_cpu(cpu_request) },
        ))
    }
}

impl Bound {
    fn grant_memory(self, what: &str, wish: Option<String>) -> Result<u64, Refused> {
        let Some(text) = wish else { return Ok(self.usual) };
        at_most(what, self.max, read_memory(what, &text)?, show_memory)
    }

    fn grant_cpu(self, what: &str, wish: Option<String>) -> Result<u64, Refused> {
        let Some(text) = wish else { return Ok(self.usual) };
        let wished = cpu(&text).filter(|milli| *milli >= MIN_CPU);
        let wished = wished.ok_or_else(|| {
            Refused(format!("{what}: {text:?} is not a number of processors such as 500m or 0.5, of at least 10m"))
        })?;
        at_most(what, self.max, wished, show_cpu)
    }
}

fn read_memory(what: &str, text: &str) -> Result<u64, Refused> {
    let wished = memory(text).filter(|bytes| *bytes >= MIN_MEMORY);
    wished.ok_or_else(|| Refused(format!("{what}: {text:?} is not an amount of memory such as 128Mi, of at least 6Mi")))
}

fn at_most(what: &str, max: u64, wished: u64, show: fn(u64) -> String) -> Result<u64, Refused> {
    if wished <= max {
        return Ok(wished);
    }
    Err(Refused(format!("{what}: {} is more than the {} that a function may have here", show(wished), show(max))))
}

/// Reads `<name>` and `<name>_max`. A default above the usual maximum raises that.
fn bound(r: &Reader<'_>, name: &str, default: Bound, least: u64) -> Result<Bound, Invalid> {
    let max_name = format!("{name}_max");
    let usual = r.or(name, default.usual)?;
    let max = r.or(&max_name, default.max.max(usual))?;
    if usual < least {
        return Err(r.invalid(name, format!("must be at least {least}")));
    }
    if max < usual {
        return Err(r.invalid(&max_name, format!("must not be less than {name}, which is {usual}")));
    }
    Ok(Bound { usual, max })
}
