//! Is this machine ready? One finding a line, and what to do about each that is not well.

mod engine;
mod machine;
mod sealing;
mod sign_in;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::file_handles;
use crate::terminal::{ERROR, FAINT, GOOD, WARNING};

/// What the platform that is asked about would use.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Its data directory.
    pub data: PathBuf,
    /// Its domain.
    pub domain: String,
    /// Its ports, each with the option that changes it.
    pub ports: Vec<(SocketAddr, &'static str)>,
}

/// How well something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// The platform runs, but something will be missed.
    Warn,
    /// The platform will not run.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    verdict: Verdict,
    what: &'static str,
    detail: String,
    advice: Option<String>,
}

impl Finding {
    pub(crate) fn ok(what: &'static str, detail: impl Into<String>) -> Self {
        Self { verdict: Verdict::Ok, what, detail: detail.into(), advice: None }
    }

    pub(crate) fn warn(what: &'static str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warn, what, detail: detail.into(), advice: Some(advice.into()) }
    }

    pub(crate) fn fail(what: &'static str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fail, what, detail: detail.into(), advice: Some(advice.into()) }
    }
}

/// Looks at everything.
pub async fn examine(plan: &Plan) -> Vec<Finding> {
    let mut findings = engine::examine().await;
    findings.push(machine::git().await);
    findings.push(machine::names(&plan.domain).await);
    findings.extend(machine::ports(plan).await);
    findings.push(machine::data_directory(&plan.data));
    findings.extend(sign_in::examine(&plan.data).await);
    findings.extend(sealing::examine(&plan.data).await);
    findings.push(machine::disk(&plan.data));
    findings.push(machine::open_files(file_handles::most()));
    findings
}

/// True if the platform will not run.
pub fn is_hopeless(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.verdict == Verdict::Fail)
}

/// The findings, one a line.
pub(crate) fn lines(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.what.len()).max().unwrap_or(0);
    let mut text = String::new();
    for Finding { verdict, what, detail, advice } in findings {
        let (style, word) = match verdict {
            Verdict::Ok => (GOOD, "ok"),
            Verdict::Warn => (WARNING, "warn"),
            Verdict::Fail => (ERROR, "FAIL"),
        };
        let _ = writeln!(text, "{style}{word:<4}{style:#}  {what:<width$}  {detail}");
        if let Some(advice) = advice {
            let _ = writeln!(text, "      {:width$}  {FAINT}-> {advice}{FAINT:#}", "");
        }
    }
    text
}

/// The findings, one a line, and a sentence at the end.
pub fn render(findings: &[Finding]) -> String {
    let mut text = lines(findings);
    let count = |wanted| findings.iter().filter(|finding| finding.verdict == wanted).count();
    let _ = match (count(Verdict::Fail), count(Verdict::Warn)) {
        (0, 0) => writeln!(text, "\nThis machine is ready: run `ofc up`, or `ofc demo` to see it work."),
        (0, warnings) => writeln!(text, "\nThis machine will do, with {warnings} thing(s) to look at."),
        (failures, _) => writeln!(text, "\n{failures} thing(s) must be mended before `ofc up` can run."),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finding_that_is_not_well_says_what_to_do() {
        let findings = [
            Finding::ok("container engine", "Docker 20.10.24 (API 1.41)"),
            Finding::warn("base images", "rust:1.95-slim-bookworm is not here", "scripts/base-images makes it"),
            Finding::fail("port 8000", "taken", "stop what listens there, or use --port"),
        ];
        assert!(is_hopeless(&findings) && !is_hopeless(&findings[..2]));
        insta::assert_snapshot!(anstream::adapter::strip_str(&render(&findings)), @r"
        ok    container engine  Docker 20.10.24 (API 1.41)
        warn  base images       rust:1.95-slim-bookworm is not here
                                -> scripts/base-images makes it
        FAIL  port 8000         taken
                                -> stop what listens there, or use --port

        1 thing(s) must be mended before `ofc up` can run.
        ");
        assert!(render(&findings[..1]).contains("ready"));
        assert!(render(&findings[..2]).contains("will do"));
    }
}
