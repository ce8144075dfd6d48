//! How a build ended: was it the build's own fault, or is it worth another try?

use std::time::Duration;

use bollard::errors::Error as DockerError;

use crate::image_name::ImageName;
use crate::registry::CredentialsError;
use crate::report::Report;
use crate::secrets::Mask;
use crate::session::SessionError;
use crate::text;
use crate::transcript::FailedStep;

/// What the engine puts before the error that counts.
const WRAPPINGS: [&str; 3] =
    ["failed to solve with frontend dockerfile.v0: ", "failed to solve: ", "failed to receive status: "];
/// Marks of messages that pass on what a stranger wrote: a Dockerfile, the command of a step, a frontend that
/// `# syntax=` names, a server that was asked for a file or an image. The engine quotes nearly all of it.
const STRANGERS: [&str; 9] = [
    "\"",
    "failed to create LLB definition",
    "dockerfile parse error",
    "Invalid ",
    "invalid ",
    "executor failed running",
    "frontend gateway.v0",
    "response status",
    "unexpected status",
];
const DISK_FULL: &str = "the container engine's disk is full";
const CANCELLED: &str = "the container engine cancelled the build";
const STOPPED: &str = "the container engine stopped during the build";

/// `mask` hides what the engine may quote.
pub(crate) fn of_build(error: &DockerError, step: Option<&FailedStep>, mask: &Mask) -> Report {
    match error {
        DockerError::DockerStreamError { error } => of_build_message(error, step, mask),
        DockerError::DockerResponseServerError { status_code: 400..=499, message } => {
            Report::failed(text::clean(message.as_bytes(), mask))
        }
        error => {
            tracing::error!(cause = mask.hide(&sdk::failure::chain(error)), "the container engine broke off a build");
            Report::unavailable("the container engine broke off the build: is it still running?")
        }
    }
}

fn of_build_message(message: &str, step: Option<&FailedStep>, mask: &Mask) -> Report {
    // First, as the engine's message quotes the step's command, which is a stranger's text.
    if let Some(step) = step.filter(|step| step.exit_code().is_some()) {
        return Report::failed(step.sentence());
    }
    if let Some(sentence) = engine_trouble(message) {
        return Report::unavailable(sentence);
    }
    match step {
        Some(step) => Report::failed(step.sentence()),
        None => Report::failed(text::clean(message.as_bytes(), mask)),
    }
}

/// The engine's own trouble. Known by the place of its words and not by the words alone, which a Dockerfile may
/// hold as well: else anybody could have a build tried again that will never end well.
fn engine_trouble(message: &str) -> Option<&'static str> {
    let mut message = message.trim();
    while let Some(inner) = WRAPPINGS.iter().find_map(|wrapping| message.strip_prefix(wrapping)) {
        message = inner;
    }
    if STRANGERS.iter().any(|mark| message.contains(mark)) {
        return None;
    }
    if ["rpc error: code = Unavailable desc = ", "Unavailable: "].iter().any(|begin| message.starts_with(begin)) {
        return Some(STOPPED);
    }
    if let Some(before) = message.strip_suffix("context canceled")
        && (before.is_empty() || before.ends_with(": ") || before.ends_with(" desc = "))
    {
        return Some(CANCELLED);
    }
    let failed = message.strip_suffix(": no space left on device")?;
    failed.split(": ").any(is_file_operation).then_some(DISK_FULL)
}

/// `write /var/lib/docker/x`: how the engine names a call to the system that failed.
fn is_file_operation(part: &str) -> bool {
    part.split_once(" /")
        .is_some_and(|(call, _)| !call.is_empty() && call.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
}

pub(crate) fn of_push(image: &ImageName, error: &DockerError) -> Report {
    tracing::error!(%image, cause = sdk::failure::chain(error), "an image was not pushed");
    let why = match error {
        DockerError::DockerStreamError { error } => text::clean(error.as_bytes(), &Mask::default()),
        DockerError::DockerResponseServerError { message, .. } => text::clean(message.as_bytes(), &Mask::default()),
        _ => "the container engine broke off".to_owned(),
    };
    Report::unavailable(format!("the image was built but could not be pushed as {image}: {why}"))
}

pub(crate) fn of_credentials(error: &CredentialsError) -> Report {
    tracing::error!(cause = sdk::failure::chain(error), "the registry credentials are not usable");
    Report::unavailable("the image was built but could not be pushed: the registry credentials are not usable")
}

pub(crate) fn of_session(error: &SessionError) -> Report {
    tracing::error!(cause = sdk::failure::chain(error), "no session was opened for a build");
    Report::unavailable("the container engine opens no session for the build: is it still running?")
}

pub(crate) fn no_result() -> Report {
    Report::unavailable("the container engine ended the build without naming an image")
}

pub(crate) fn no_digest(image: &ImageName) -> Report {
    Report::unavailable(format!("the image was pushed as {image}, but the registry's digest is not known"))
}

pub(crate) fn too_slow(time: Duration) -> Report {
    Report::failed(format!("the build took longer than {} s and was stopped", time.as_secs_f32()))
}

pub(crate) fn stopping() -> Report {
    Report::unavailable("the builder is stopping; the build was cancelled and can be sent again")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_build(error: &DockerError, step: Option<&FailedStep>) -> Report {
        super::of_build(error, step, &Mask::default())
    }

    fn stream(error: &str) -> DockerError {
        DockerError::DockerStreamError { error: error.to_owned() }
    }

    #[test]
    fn the_builds_own_faults_are_final() {
        let report = of_build(&stream("dockerfile parse error line 2: unknown instruction: RUM"), None);
        assert!(!report.retry);
        insta::assert_snapshot!(report.error, @"dockerfile parse error line 2: unknown instruction: RUM");
    }

    #[test]
    fn a_step_cannot_pass_for_the_engines_trouble() {
        let message = "executor failed running [/bin/sh -c echo no space left on device; exit 1]: exit code: 1";
        let step = FailedStep::new("[2/2] RUN x", message, &Mask::default());
        let report = of_build(&stream(message), Some(&step));
        assert!(!report.retry);
        insta::assert_snapshot!(report.error, @"[2/2] RUN x failed with exit code 1");
    }

    #[test]
    fn a_dockerfile_cannot_pass_for_the_engines_trouble() {
        let llb = "failed to solve with frontend dockerfile.v0: failed to create LLB definition";
        for message in [
            "failed to compute cache key: \"/no space left on device\" not found: not found",
            "failed to compute cache key: \"/code = Unavailable\" not found: not found",
            &format!(
                "{llb}: failed to process \"${{X:?write /a: no space left on device}}\": X: write /a: no space left on device"
            ),
            &format!("{llb}: failed to process \"${{X:?context canceled}}\": X: context canceled"),
            &format!("{llb}: dockerfile parse error line 2: Unknown flag: a: write /x: no space left on device"),
            &format!("{llb}: Invalid signal: x: context canceled"),
            "failed to solve: Invalid signal: no space left on device",
            "failed to solve: Invalid signal: transport is closing",
            "failed to solve: Invalid signal: write /x: no space left on device",
            "failed to solve: invalid proto: context canceled",
            "executor failed running [/bin/sh -c echo: write /x: no space left on device",
            "failed to solve with frontend gateway.v0: write /x: no space left on device",
            "failed to load cache key: invalid response status 500 a: write /x: no space left on device",
        ] {
            for step in [None, Some(FailedStep::new("[2/2] COPY x /", message, &Mask::default()))] {
                assert!(!of_build(&stream(message), step.as_ref()).retry, "{message}");
            }
        }
    }

    #[test]
    fn the_engines_troubles_are_worth_another_try() {
        for error in [
            stream("failed to solve: write /x: no space left on device"),
            stream("failed to copy files: failed to copy file: write /var/lib/docker/a: b: no space left on device"),
            stream("failed to solve with frontend dockerfile.v0: mkdir /var/lib/docker/x: no space left on device"),
            stream("context canceled"),
            stream("failed to solve: rpc error: code = Canceled desc = context canceled"),
            stream("rpc error: code = Unavailable desc = transport is closing"),
            stream("failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF"),
            DockerError::RequestTimeoutError,
            DockerError::DockerResponseServerError { status_code: 500, message: "oops".to_owned() },
        ] {
            assert!(of_build(&error, None).retry, "{error}");
        }
    }

    #[test]
    fn a_failed_push_says_why() {
        let report = of_push(&"r.local/a:1".parse().unwrap(), &stream("denied: no"));
        assert!(report.retry);
        insta::assert_snapshot!(report.error, @"the image was built but could not be pushed as r.local/a:1: denied: no");
    }
}
