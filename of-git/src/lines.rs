//! The words of the pipeline, laid out for the pusher's terminal.

use std::collections::{HashMap, HashSet};

use crate::checks::{CheckRun, Conclusion, Progress};
use crate::plain;

/// The check run that stands for the whole push.
pub(crate) const STACK: &str = "stack-deploy";
/// How many of a failed function's last log lines are shown.
const LOG_LINES: usize = 30;
/// How many of its remarks on lines are shown.
const REMARKS: usize = 5;
/// Names are padded to at least this, so that most stacks line up from their first line on.
const NARROWEST: usize = 8;
/// Names longer than this do not push the others to the right.
const WIDEST: usize = 32;
/// The longest reason of a failure: it is shown whole, because what to do is at its end.
const REASON: usize = 1000;

/// Lays out lines and remembers what was said already.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    said: HashMap<String, String>,
    /// Files and lines that were named.
    named: HashSet<(String, u32)>,
    width: usize,
}

impl Lines {
    /// What there is to say about a check run now; nothing if that was said before.
    pub(crate) fn of(&mut self, run: &CheckRun) -> Vec<String> {
        let name = plain::line(&run.name, WIDEST);
        let lines = if run.name == STACK { self.stack(run) } else { self.function(&name, run) };
        let text = lines.join("\n");
        if self.said.get(&run.name) == Some(&text) {
            return Vec::new();
        }
        self.said.insert(run.name.clone(), text);
        lines
    }

    fn function(&mut self, name: &str, run: &CheckRun) -> Vec<String> {
        self.width = self.width.max(name.chars().count() + 2).max(NARROWEST);
        let width = self.width;
        let words = words(run);
        if !failed(run) {
            return vec![plain::line(&format!("{name:width$}{words}"), plain::WIDTH)];
        }
        let mut lines = vec![format!("{name:width$}FAILED: {words}")];
        lines.extend(self.remarks(run).into_iter().map(|remark| format!("{:1$}{remark}", "", width + 2)));
        lines.extend(log(run, width + 2));
        lines
    }

    /// The sentence about the whole, after what no function has said.
    fn stack(&mut self, run: &CheckRun) -> Vec<String> {
        let words = words(run);
        if !failed(run) {
            return vec![words];
        }
        let reason = words.trim_end_matches('.');
        let mut lines = self.remarks(run);
        lines.push(format!("The deployment FAILED: {reason}. What was live is untouched."));
        lines.extend(log(run, 2));
        lines
    }

    /// Where in the repository the cause is: of the remarks those that came last, since earlier ones may be mended.
    fn remarks(&mut self, run: &CheckRun) -> Vec<String> {
        let first = run.output.annotations.len().saturating_sub(REMARKS);
        let title = words(run);
        let new = run.output.annotations[first..]
            .iter()
            .filter(|remark| self.named.insert((remark.path.clone(), remark.start_line)));
        new.map(|remark| {
            let place = format!("{}:{}", remark.path, remark.start_line);
            let message = plain::line(remark.message.lines().next().unwrap_or_default(), REASON);
            // The reason is not said twice.
            let text = if title.contains(&message) { format!("at {place}") } else { format!("{place}: {message}") };
            plain::line(&text, REASON)
        })
        .collect()
    }
}

/// True if a completed run is anything but good or of no matter.
pub(crate) fn failed(run: &CheckRun) -> bool {
    let fine = [Conclusion::Success, Conclusion::Neutral, Conclusion::Skipped];
    run.status == Progress::Completed && run.conclusion.is_some_and(|conclusion| !fine.contains(&conclusion))
}

fn log(run: &CheckRun, indent: usize) -> impl Iterator<Item = String> {
    let width = plain::WIDTH.saturating_sub(indent);
    let tail = plain::tail(run.output.text.as_deref().unwrap_or_default(), LOG_LINES, width);
    tail.into_iter().map(move |line| format!("{:indent$}{line}", "").trim_end().to_owned())
}

/// The pipeline's own words, or plain ones where it gave none.
fn words(run: &CheckRun) -> String {
    let width = if failed(run) { REASON } else { plain::WIDTH };
    let title = plain::line(run.output.title.as_deref().unwrap_or_default(), width);
    if !title.is_empty() {
        return title;
    }
    match (run.status, run.conclusion) {
        (Progress::Queued, _) => "queued",
        (Progress::Running, _) => "in progress",
        (Progress::Completed, Some(Conclusion::Success)) => "done",
        (Progress::Completed, Some(Conclusion::Neutral | Conclusion::Skipped)) => "skipped",
        (Progress::Completed, _) => "no reason was given",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::Output;

    fn run(name: &str, conclusion: Option<Conclusion>, title: &str, text: &str) -> CheckRun {
        CheckRun {
            id: 1,
            name: name.into(),
            head_sha: "a".repeat(40).parse().unwrap(),
            status: if conclusion.is_some() { Progress::Completed } else { Progress::Running },
            conclusion,
            details_url: None,
            external_id: None,
            started_at: chrono::Utc::now(),
            completed_at: None,
            output: Output { title: Some(title.into()), text: Some(text.into()), ..Output::default() },
            state: None,
            rerun: false,
            revision: 1,
        }
    }

    #[test]
    fn functions_line_up_and_nothing_is_said_twice() {
        let mut lines = Lines::default();
        let mut said = lines.of(&run("greet", None, "building", ""));
        said.extend(lines.of(&run("greet", None, "building", "")));
        said.extend(lines.of(&run("count", Some(Conclusion::Success), "unchanged", "")));
        let log = "```shell\nStep 1\n\u{1b}[31mno such file\n```\n";
        said.extend(lines.of(&run("page", Some(Conclusion::Failure), "the image was not built", log)));
        assert_eq!(
            said,
            [
                "greet   building",
                "count   unchanged",
                "page    FAILED: the image was not built",
                "          Step 1",
                "          no such file"
            ]
        );
    }

    #[test]
    fn the_line_that_failed_is_named_before_the_log() {
        let mut failed = run("page", Some(Conclusion::Failure), "the image was not built", "no such file");
        let remark = serde_json::json!({
            "path": "page/Dockerfile", "start_line": 3, "end_line": 3, "annotation_level": "failure",
            "message": "COPY: \u{1b}[31mno such file\nmore",
        });
        failed.output.annotations = vec![serde_json::from_value(remark).unwrap()];
        assert_eq!(
            Lines::default().of(&failed)[1..],
            ["          page/Dockerfile:3: COPY: no such file", "          no such file"]
        );
        failed.output.title = Some("the image was not built: COPY: no such file".into());
        let mut lines = Lines::default();
        assert_eq!(lines.of(&failed)[1], "          at page/Dockerfile:3", "the reason is not said twice");
        failed.name = STACK.into();
        assert_eq!(lines.of(&failed).len(), 2, "nor is the line");
        assert_eq!(Lines::default().of(&failed)[0], "at page/Dockerfile:3", "the sentence about the whole comes last");
    }

    #[test]
    fn the_stack_has_the_last_word() {
        let mut lines = Lines::default();
        let good = lines.of(&run(STACK, Some(Conclusion::Success), "Deployed 3 functions in 4.1 s", ""));
        assert_eq!(good, ["Deployed 3 functions in 4.1 s"]);
        let bad = lines.of(&run(STACK, Some(Conclusion::Failure), "there is no stack.yml.", ""));
        assert_eq!(bad, ["The deployment FAILED: there is no stack.yml. What was live is untouched."]);
    }

    #[test]
    fn a_hostile_name_stays_one_short_line() {
        let lines = Lines::default().of(&run("\u{1b}]0;x\u{7}evil\nremote: ok", None, "a\r\nb", ""));
        assert_eq!(lines, ["evil remote: ok  a  b"]);
    }
}
