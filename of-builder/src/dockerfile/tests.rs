use super::*;
use crate::secrets::Mask;

const FILE: &str = "# syntax=docker/dockerfile:1
ARG BASE=debian
FROM rust:1 AS Build
WORKDIR /src

RUN apt-get update && \\
    # a comment between
    apt-get install -y \\

    make
COPY . .
RUN <<EOF
FROM nothing
EOF
RUN cargo build
FROM $BASE
RUN cargo build
COPY --from=build /src/app /app
ENV A=1
RUN echo \"$A\"
";

fn line(name: &str) -> Option<u32> {
    Dockerfile::parse(FILE).line_of(Some(&FailedStep::new(name, "exit code: 1", &Mask::default())), "executor failed")
}

#[test]
fn a_step_is_found_by_its_text_and_by_its_number() {
    for (step, expected) in [
        ("[build 2/6] WORKDIR /src", Some(4)),
        ("[build 3/6] RUN apt-get update &&     apt-get install -y     make", Some(6)),
        ("[build 1/6] RUN apt-get update && apt-get install -y make", Some(6)),
        ("[build 4/6] COPY . .", Some(11)),
        ("[build 6/6] RUN cargo build", Some(15)),
        ("[stage-1 2/4] RUN cargo build", Some(17)),
        ("[linux/amd64 stage-1 4/4] RUN echo \"1\"", Some(20)),
        ("[build 1/6] FROM docker.io/library/rust:1@sha256:00", Some(3)),
        ("[internal] load metadata for docker.io/library/rust:1", Some(3)),
        ("[stage-1 4/9] RUN echo \"1\"", None),
        ("[stage-1 4/4] COPY somewhere else", None),
        ("[other 1/1] RUN x", None),
        ("[internal] load build context", None),
        ("", None),
    ] {
        assert_eq!(line(step), expected, "{step}");
    }
}

#[test]
fn a_here_document_is_one_instruction() {
    assert_eq!(line("[build 5/6] RUN <<EOF (FROM nothing)"), Some(12));
}

#[test]
fn a_single_stage_has_no_name_and_its_image_is_found_whatever_it_is_called() {
    let file = Dockerfile::parse("FROM scratch\nCOPY x /\n");
    let line = |name: &str| file.line_of(Some(&FailedStep::new(name, "x", &Mask::default())), "");
    assert_eq!(line("[1/1] COPY x /"), Some(2));
    assert_eq!(line("[internal] load metadata for docker.io/library/debian:12"), None);
    let file = Dockerfile::parse("ARG I\nFROM $I\nRUN x\n");
    let line = |name: &str| file.line_of(Some(&FailedStep::new(name, "x", &Mask::default())), "");
    assert_eq!(line("[internal] load metadata for docker.io/library/nosuch:latest"), Some(2));
    assert_eq!(line("[2/2] RUN x"), Some(3));
    for (own, full) in
        [("nosuch", "docker.io/library/nosuch:latest"), ("a/b:1", "docker.io/a/b:1"), ("r.io/x", "r.io/x:latest")]
    {
        assert!(is_image(own, full), "{own}");
    }
}

#[test]
fn a_line_that_buildkit_names_must_be_there() {
    let file = Dockerfile::parse("FROM scratch\nRUM x\n");
    for (message, expected) in [
        ("dockerfile parse error line 2: unknown instruction: RUM", Some(2)),
        ("failed to solve: dockerfile parse error on line 2: unknown instruction: RUM (did you mean RUN?)", Some(2)),
        ("dockerfile parse error line 99: x", None),
        ("dockerfile parse error line 0: x", None),
        ("dockerfile parse error line 99999999999999: x", None),
        ("something else", None),
    ] {
        assert_eq!(file.line_of(None, message), expected, "{message}");
    }
}

#[test]
fn another_escape_character_and_strange_files_are_read() {
    let file = Dockerfile::parse("# escape=`\nFROM a\nRUN one `\n two\nRUN c:\\\nRUN three\n");
    let line = |name: &str| file.line_of(Some(&FailedStep::new(name, "x", &Mask::default())), "");
    assert_eq!(line("[2/4] RUN one two"), Some(3));
    assert_eq!(line("[4/4] RUN three"), Some(6));
    for text in ["", "\\", "FROM", "RUN x", "FROM a AS", "RUN <<", "FROM a\nRUN <<E\nnever ends", "\u{feff}FROM a"] {
        let _ = Dockerfile::parse(text).line_of(Some(&FailedStep::new("[1/1] RUN x", "x", &Mask::default())), "");
    }
}
