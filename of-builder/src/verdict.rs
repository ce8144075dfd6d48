//! How a build ended: was it the build's own fault, or is it worth another try?

use std::time::Duration;

use bollard::errors::Error as DockerError;

use crate::image_name::ImageName;
use crate::registry::CredentialsError;
use crate::report::Report;
use crate::text;
use crate::transcript::FailedStep;

/// What an engine says that is short of space or is being stopped.
const ENGINE_TROUBLE: [(&str, &str); 4] = [
    ("no space left on device", "the container engine's disk is full"),
    ("context canceled", "the container engine cancelled the build"),
    ("transport is closing", "the container engine stopped during the build"),
    ("code = Unavailable", "the container engine stopped during the build"),
];

pub(crate) fn of_build(error: &DockerError, step: Option<&FailedStep>) -> Report {
    match error {
        DockerError::DockerStreamError { error } => of_build_message(error, step),
        DockerError::DockerResponseServerError { status_code: 400..=499, message } => {
            Report::failed(text::clean(message.as_bytes()))
        }
        error => {
            tracing::error!(cause = sdk::failure::chain(error), "the container engine broke off a build");
            Report::unavailable("the container engine broke off the build: is it still running?")
        }
    }
}

fn of_build_message(message: &str, step: Option<&FailedStep>) -> Report {
    // First, as the engine's message quotes the step's command, which is a stranger's text.
    if let Some(step) = step.filter(|step| step.exit_code().is_some()) {
        return Report::failed(step.sentence());
    }
    if let Some((_, sentence)) = ENGINE_TROUBLE.iter().find(|(sign, _)| message.contains(sign)) {
        return Report::unavailable(*sentence);
    }
    match step {
        Some(step) => Report::failed(step.sentence()),
        None => Report::failed(text::clean(message.as_bytes())),
    }
}

pub(crate) fn of_push(image: &ImageName, error: &DockerError) -> Report {
    tracing::error!(%image, cause = sdk::failure::chain(error), "an image was not pushed");
    let why = match error {
        DockerError::DockerStreamError { error } => text::clean(error.as_bytes()),
        DockerError::DockerResponseServerError { message, .. } => text::clean(message.as_bytes()),
        _ => "the container engine broke off".to_owned(),
    };
    Report::unavailable(format!("the image was built but could not be pushed as {image}: {why}"))
}

pub(crate) fn of_credentials(error: &CredentialsError) -> Report {
    tracing::error!(cause = sdk::failure::chain(error), "the registry credentials are not usable");
    Report::unavailable("the image was built but could not be pushed: the registry credentials are not usable")
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
        let step = FailedStep::new("[2/2] RUN x", message);
        let report = of_build(&stream(message), Some(&step));
        assert!(!report.retry);
        insta::assert_snapshot!(report.error, @"[2/2] RUN x failed with exit code 1");
    }

    #[test]
    fn the_engines_troubles_are_worth_another_try() {
        for error in [
            stream("failed to solve: write /x: no space left on device"),
            stream("rpc error: code = Unavailable desc = transport is closing"),
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
