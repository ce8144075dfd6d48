//! `ofc status OWNER/REPOSITORY`: what the host was told about a commit.

use std::collections::BTreeMap;
use std::time::Duration;

use anstyle::Style;
use sdk::status::STACK_CONTEXT;

use crate::host::{Check, Commit, Deployment, Outcome};
use crate::report::Exit;
use crate::terminal::{ERROR, FAINT, GOOD, STRONG, WARNING, duration, print};

/// The exit code of what is not at its end.
const PENDING: u8 = 3;
/// The widest column of names, in characters.
const WIDEST: usize = 32;

/// Shows it; the exit code says how it went.
pub(super) fn show(commit: &Commit, json: bool) -> anyhow::Result<()> {
    if json {
        print(&format!("{}\n", serde_json::to_string_pretty(commit)?))?;
    } else {
        print(&render(commit))?;
    }
    verdict(commit.outcome)
}

/// The exit code for an outcome.
pub(crate) fn verdict(outcome: Outcome) -> anyhow::Result<()> {
    match outcome {
        Outcome::Success | Outcome::Neutral => Ok(()),
        Outcome::Failure => Err(Exit(1).into()),
        Outcome::Queued | Outcome::InProgress => Err(Exit(PENDING).into()),
    }
}

/// One line for each check, by name, without colours.
pub(crate) fn lines(commit: &Commit) -> BTreeMap<String, String> {
    let width = width(commit);
    let line = |check: &Check| format!("{:<width$}  {}", check.name, words(check));
    commit.checks.iter().map(|check| (check.name.clone(), line(check))).collect()
}

/// The whole in words.
pub(crate) fn render(commit: &Commit) -> String {
    let (word, style) = word(commit.outcome);
    let mut text = format!(
        "{STRONG}{}{STRONG:#} {} {FAINT}{}{FAINT:#}\n{style}{word}{style:#}\n",
        commit.repository,
        commit.sha.short(),
        commit.subject
    );
    if commit.checks.is_empty() {
        text.push_str("\nNothing was said about this commit yet.\n");
    } else {
        text.push('\n');
    }
    let width = width(commit);
    commit.checks.iter().for_each(|check| text.push_str(&about(check, width)));
    if !commit.deployments.is_empty() {
        text.push_str("\nDeployments\n");
        commit.deployments.iter().for_each(|one| text.push_str(&deployment(one)));
    }
    text
}

fn width(commit: &Commit) -> usize {
    commit.checks.iter().map(|check| check.name.chars().count()).max().unwrap_or_default().min(WIDEST)
}

fn about(check: &Check, width: usize) -> String {
    let (state, style) = word(check.outcome);
    let took = check.millis.map(|millis| format!(" {FAINT}{}{FAINT:#}", duration(Duration::from_millis(millis))));
    let mut text = format!(
        "  {style}{state:<11}{style:#}  {:<width$}  {}{}\n",
        check.name,
        words(check),
        took.unwrap_or_default()
    );
    let shown_already = |url: &&String| !check.title.contains(url.as_str());
    // Of the whole there is only the page with the same.
    for url in check.url.iter().filter(|_| check.name != STACK_CONTEXT).filter(shown_already) {
        text.push_str(&format!("      {FAINT}{url}{FAINT:#}\n"));
    }
    if check.outcome == Outcome::Failure {
        for remark in &check.annotations {
            text.push_str(&format!("      {ERROR}{}:{}{ERROR:#} {}\n", remark.path, remark.line, remark.message));
        }
        for line in &check.log {
            text.push_str(format!("      {line}").trim_end());
            text.push('\n');
        }
    }
    text
}

fn words(check: &Check) -> &str {
    if check.title.is_empty() { word(check.outcome).0 } else { &check.title }
}

fn deployment(deployment: &Deployment) -> String {
    let time = deployment.created_at.format("%Y-%m-%d %H:%M:%S");
    let Deployment { environment, state, task, url, .. } = deployment;
    format!("  {time}  {environment}  {state}  {FAINT}{task}{FAINT:#}  {url}").trim_end().to_owned() + "\n"
}

fn word(outcome: Outcome) -> (&'static str, Style) {
    match outcome {
        Outcome::Queued => ("queued", FAINT),
        Outcome::InProgress => ("in progress", WARNING),
        Outcome::Success => ("success", GOOD),
        Outcome::Failure => ("FAILED", ERROR),
        Outcome::Neutral => ("skipped", FAINT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Remark;

    fn check(name: &str, outcome: Outcome, title: &str, millis: Option<u64>) -> Check {
        Check {
            id: 1,
            name: name.into(),
            outcome,
            title: title.into(),
            millis,
            ended_at: None,
            url: None,
            annotations: Vec::new(),
            log: Vec::new(),
        }
    }

    fn commit() -> Commit {
        let live = "live at http://alice.localhost:8000/greet";
        let mut page = check("page", Outcome::Failure, "the image was not built", Some(800));
        page.url = Some("http://system.localhost:8000/dashboard/alice/page/build-log".into());
        page.annotations =
            vec![Remark { path: "page/Dockerfile".into(), line: 3, message: "COPY: no such file".into() }];
        page.log = vec!["Step 1/2".into(), "COPY: no such file".into()];
        let mut greet = check("greet", Outcome::Success, live, Some(4200));
        greet.url = Some("http://alice.localhost:8000/greet".into());
        let stack = check(STACK_CONTEXT, Outcome::Failure, "1 of 2 functions failed", Some(5000));
        Commit {
            repository: "alice/hello".into(),
            sha: "1a2b3c4".repeat(6)[..40].parse().unwrap(),
            subject: "Change the greeting".into(),
            outcome: Outcome::Failure,
            checks: vec![greet, page, stack],
            deployments: vec![Deployment {
                id: 7,
                task: "deploy".into(),
                environment: "production".into(),
                created_at: "2026-01-02T03:04:05Z".parse().unwrap(),
                state: "failure".into(),
                url: String::new(),
            }],
        }
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn a_failure_is_shown_with_its_line_and_the_end_of_its_log() {
        insta::assert_snapshot!(plain(&render(&commit())), @r"
        alice/hello 1a2b3c4 Change the greeting
        FAILED

          success      greet         live at http://alice.localhost:8000/greet 4.2 s
          FAILED       page          the image was not built 800 ms
              http://system.localhost:8000/dashboard/alice/page/build-log
              page/Dockerfile:3 COPY: no such file
              Step 1/2
              COPY: no such file
          FAILED       stack-deploy  1 of 2 functions failed 5.0 s

        Deployments
          2026-01-02 03:04:05  production  failure  deploy
        ");
    }

    #[test]
    fn a_commit_that_nothing_was_said_about_is_pending() {
        let commit = Commit { checks: Vec::new(), deployments: Vec::new(), outcome: Outcome::Queued, ..commit() };
        assert!(render(&commit).contains("Nothing was said"));
        assert_eq!(verdict(commit.outcome).unwrap_err().downcast_ref(), Some(&Exit(3)));
        assert_eq!(verdict(Outcome::Failure).unwrap_err().downcast_ref(), Some(&Exit(1)));
        assert!(verdict(Outcome::Neutral).is_ok());
    }

    #[test]
    fn programs_read_the_same() {
        let json = serde_json::to_value(commit()).unwrap();
        assert_eq!((&json["outcome"], &json["checks"][1]["annotations"][0]["line"]), (&"failure".into(), &3.into()));
        assert_eq!(json["checks"][0].get("log"), None);
    }
}
