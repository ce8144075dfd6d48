//! Turns BuildKit's events into a log for people: a step's name, below it its output, and how it ended.
//!
//! Names begin a line, all that a step writes is two spaces further in. The last line of a step says how long it took:
//! `  (3.0 s)`, `  (failed after 0.41 s)` below `  error: …`, or `  (cancelled after 12.0 s)`. A step that was over when it
//! was named has that behind its name, which then has no such line below it: `[3/3] COPY . . (0.02 s)`, `[1/3] FROM debian (cached)`.

use std::collections::HashMap;
use std::sync::Arc;

use bollard::moby::buildkit::v1::{StatusResponse, Vertex, VertexLog};

use crate::log_budget::LogBudget;
use crate::secrets::Mask;
use crate::text::{self, Lines};

/// How the engine calls taking our tar apart.
const UPLOAD_STEP: &str = "copy /context /";
/// The number by which BuildKit marks what came from standard error.
const STDERR: i64 = 2;
const MAX_NAME_CHARS: usize = 300;

/// The log of one build so far.
pub(crate) struct Transcript {
    steps: HashMap<String, Step>,
    /// The step whose lines came last.
    current: String,
    budget: LogBudget,
    failed: Option<FailedStep>,
    mask: Arc<Mask>,
}

struct Step {
    name: String,
    announced: bool,
    /// Whether its name was told together with how long it took.
    timed: bool,
    done: bool,
    /// Standard output and standard error: either may stop in the middle of a line while the other goes on.
    output: [Lines; 2],
}

/// A step that ended the build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FailedStep {
    name: String,
    message: String,
}

impl Transcript {
    /// A log in which what `mask` knows is hidden.
    pub(crate) fn new(mask: Arc<Mask>) -> Self {
        Self { steps: HashMap::new(), current: String::new(), budget: LogBudget::new(), failed: None, mask }
    }

    /// The lines that an event adds.
    pub(crate) fn absorb(&mut self, event: StatusResponse) -> Vec<String> {
        let mut lines = Vec::new();
        for vertex in &event.vertexes {
            self.start(vertex, &mut lines);
        }
        for log in &event.logs {
            self.output(log, &mut lines);
        }
        for vertex in &event.vertexes {
            self.end(vertex, &mut lines);
        }
        lines.into_iter().filter_map(|line| self.budget.admit(line)).collect()
    }

    /// The lines that are left when the build is over.
    pub(crate) fn finish(&mut self) -> Vec<String> {
        let digests: Vec<String> = self.steps.keys().cloned().collect();
        let mut lines = Vec::new();
        for digest in digests {
            let rest = self.steps.get_mut(&digest).map(Step::unfinished).unwrap_or_default();
            self.show(&digest, rest, &mut lines);
        }
        let mut admitted: Vec<String> = lines.into_iter().filter_map(|line| self.budget.admit(line)).collect();
        admitted.extend(self.budget.finish());
        admitted
    }

    /// The step that failed, if one did.
    pub(crate) fn failed(&self) -> Option<&FailedStep> {
        self.failed.as_ref()
    }

    fn start(&mut self, vertex: &Vertex, lines: &mut Vec<String>) {
        let step = self.steps.entry(vertex.digest.clone()).or_insert_with(|| Step::new(&vertex.name, &self.mask));
        let begun = vertex.started.is_some() || vertex.cached;
        if begun && !step.announced && !step.is_internal() {
            step.announced = true;
            step.timed = !vertex.cached && vertex.completed.is_some() && vertex.error.is_empty();
            lines.push(match () {
                () if vertex.cached => format!("{} (cached)", step.name),
                () if step.timed => format!("{} ({})", step.name, duration(vertex)),
                () => step.name.clone(),
            });
            self.current = vertex.digest.clone();
        }
    }

    fn output(&mut self, log: &VertexLog, lines: &mut Vec<String>) {
        let step = self.steps.entry(log.vertex.clone()).or_insert_with(|| Step::new("output", &self.mask));
        let whole = step.output[usize::from(log.stream == STDERR)].push(&log.msg);
        self.show(&log.vertex, whole, lines);
    }

    fn end(&mut self, vertex: &Vertex, lines: &mut Vec<String>) {
        let Some(step) = self.steps.get_mut(&vertex.digest) else { return };
        if step.done || vertex.completed.is_none() {
            return;
        }
        step.done = true;
        let mut rest = step.unfinished();
        // When one step fails the others are cancelled, and say so.
        let is_cancelled = vertex.error.contains("context canceled");
        if !vertex.error.is_empty() && !is_cancelled && self.failed.is_none() {
            let failed = FailedStep::new(&step.name, &vertex.error, &self.mask);
            rest.push(format!("error: {}", failed.message));
            self.failed = Some(failed);
        }
        let time = duration(vertex);
        // A step that was not named and has nothing to say is not named for its time alone.
        match () {
            () if step.timed || vertex.cached || !step.announced && rest.is_empty() => {}
            () if vertex.error.is_empty() => rest.push(format!("({time})")),
            () if is_cancelled => rest.push(format!("(cancelled after {time})")),
            () => rest.push(format!("(failed after {time})")),
        }
        self.show(&vertex.digest, rest, lines);
    }

    /// Indents lines below their step's name, and repeats the name where another step came between.
    fn show(&mut self, digest: &str, output: Vec<String>, lines: &mut Vec<String>) {
        if output.is_empty() {
            return;
        }
        if self.current != digest {
            self.current = digest.to_owned();
            if let Some(step) = self.steps.get_mut(digest) {
                let again = std::mem::replace(&mut step.announced, true);
                lines.push(if again { format!("{} (continued)", step.name) } else { step.name.clone() });
            }
        }
        lines.extend(output.into_iter().map(|line| format!("  {line}")));
    }
}

impl Step {
    fn new(name: &str, mask: &Arc<Mask>) -> Self {
        let name = text::clean(name.replace('\n', " ").as_bytes(), mask).chars().take(MAX_NAME_CHARS).collect();
        Self {
            name,
            announced: false,
            timed: false,
            done: false,
            output: [Lines::new(Arc::clone(mask)), Lines::new(Arc::clone(mask))],
        }
    }

    /// The lines that are left when the step is over.
    fn unfinished(&mut self) -> Vec<String> {
        self.output.iter_mut().flat_map(Lines::finish).collect()
    }

    /// BuildKit's own errands are of no interest unless they fail.
    fn is_internal(&self) -> bool {
        self.name.starts_with("[internal]") || self.name == UPLOAD_STEP
    }
}

impl FailedStep {
    pub(crate) fn new(name: &str, message: &str, mask: &Mask) -> Self {
        Self { name: name.to_owned(), message: text::clean(message.as_bytes(), mask) }
    }

    /// The step's name, on one line.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The step ran and ended with this code; without one it did not get that far.
    pub(crate) fn exit_code(&self) -> Option<i32> {
        self.message.rsplit_once("exit code: ").and_then(|(_, code)| code.trim().parse().ok())
    }

    /// One sentence: which step, and its exit code or message.
    pub(crate) fn sentence(&self) -> String {
        match self.exit_code() {
            Some(code) => format!("{} failed with exit code {code}", self.name),
            None => format!("{} failed: {}", self.name, self.message),
        }
    }
}

/// How long a step took, in seconds: two digits behind the point where it was short.
fn duration(vertex: &Vertex) -> String {
    let seconds = match (&vertex.started, &vertex.completed) {
        (Some(from), Some(to)) => {
            to.seconds.saturating_sub(from.seconds) as f64 + (f64::from(to.nanos) - f64::from(from.nanos)) / 1e9
        }
        _ => 0.0,
    };
    let seconds = seconds.max(0.0);
    if seconds < 1.0 { format!("{seconds:.2} s") } else { format!("{seconds:.1} s") }
}

#[cfg(test)]
mod tests;
