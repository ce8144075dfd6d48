//! Builds on the real container engine. Where none answers these tests fail and say what to start.
#![expect(clippy::unwrap_used, reason = "test helpers")]

mod cancel;
mod harness;
mod isolation;
mod push;
mod reuse;
mod secrets;

use harness::{BASE, Builder, Image, archive, docker, last, lines};
use of_builder::Status;
use serde_json::json;

#[tokio::test]
async fn a_build_is_told_while_it_runs_and_ends_with_the_engines_image_id() {
    let (builder, image) = (Builder::start(&[]).await, Image::new());
    let dockerfile = format!("FROM {BASE}\nCOPY hello.txt /\nRUN echo first && sleep 1 && echo second\n");
    let unique = uuid::Uuid::new_v4().to_string();
    let reports = builder.build(archive(image.order(), &dockerfile, &[("hello.txt", &unique)])).await;

    let end = last(&reports);
    assert_eq!(end.status, Status::Success, "{end:?}");
    let inspected = docker().inspect_image(&image.name()).await.unwrap();
    assert_eq!(end.digest, inspected.id);
    assert_eq!(end.image, format!("{}@{}", image.repository, inspected.id.unwrap()));

    let when = |text: &str| reports.iter().find(|(_, report)| report.log.iter().any(|line| line == text)).unwrap().0;
    assert!((when("  second") - when("  first")).as_millis() > 700, "the lines did not come while the step ran");
    let log = lines(&reports);
    // A step that another build runs at the same time may carry that one's number.
    assert!(log[0].contains("FROM docker.io/library/debian"), "{log:?}");
    let copied = log.iter().position(|line| line.starts_with("[2/3] COPY hello.txt /")).unwrap();
    let time = log[copied..].iter().find(|line| line.ends_with(" s)"));
    assert!(time.is_some_and(|line| *line == log[copied] || line.starts_with("  (")), "{log:?}");
}

#[tokio::test]
async fn the_second_build_comes_from_the_cache() {
    let (builder, image) = (Builder::start(&[]).await, Image::new());
    let unique = uuid::Uuid::new_v4().to_string();
    let tar = archive(image.order(), &format!("FROM {BASE}\nCOPY x /x\nRUN cat /x\n"), &[("x", &unique)]);
    let first = builder.build(tar.clone()).await;
    let second = builder.build(tar).await;
    assert!(!lines(&first).contains(&"[3/3] RUN cat /x (cached)".to_owned()));
    assert!(lines(&second).contains(&"[3/3] RUN cat /x (cached)".to_owned()), "{:?}", lines(&second));
    assert_eq!(last(&second).status, Status::Success);
    assert_eq!(last(&first).digest, last(&second).digest);
}

#[tokio::test]
async fn a_failing_step_is_named_and_leaves_no_image() {
    let (builder, image) = (Builder::start(&[]).await, Image::new());
    let dockerfile = format!("FROM {BASE}\nRUN echo not today >&2; exit 7\n");
    let reports = builder.build(archive(image.order(), &dockerfile, &[])).await;
    let end = last(&reports);
    assert_eq!((end.status, end.retry), (Status::Failed, false));
    assert_eq!(end.error, "[2/2] RUN echo not today >&2; exit 7 failed with exit code 7");
    assert_eq!(end.line, Some(2));
    assert!(lines(&reports).contains(&"  not today".to_owned()), "{:?}", lines(&reports));
    assert!(docker().inspect_image(&image.name()).await.is_err());
}

#[tokio::test]
async fn without_a_stream_a_failed_build_is_422_and_a_good_one_200() {
    let (builder, image) = (Builder::start(&[]).await, Image::new());
    let bad = archive(image.order(), &format!("FROM {BASE}\nCOPY nothing /\n"), &[]);
    let response = builder.post(bad, false).await;
    assert_eq!(response.status(), 422);
    let report: of_builder::Report = response.json().await.unwrap();
    assert!(report.error.contains("nothing") && report.error.contains("not found"), "{report:?}");
    assert_eq!(report.line, Some(2));

    let response = builder.post(archive(image.order(), "FROM scratch\nCOPY x /\n", &[("x", "x")]), false).await;
    assert_eq!(response.status(), 200);
    let report: of_builder::Report = response.json().await.unwrap();
    assert_eq!(report.status, Status::Success);
    assert!(!report.log.is_empty());
}

#[tokio::test]
async fn a_broken_dockerfile_and_an_unknown_base_image_are_the_builds_own_faults() {
    let (builder, image) = (Builder::start(&[]).await, Image::new());
    let reports = builder.build(archive(image.order(), "FROM scratch\nRUM x\n", &[])).await;
    assert!(last(&reports).error.contains("unknown instruction"), "{:?}", last(&reports));
    assert_eq!((last(&reports).retry, last(&reports).line), (false, Some(2)));
}

#[tokio::test]
async fn the_failing_line_is_found_among_stages_continued_lines_and_arguments() {
    let (builder, image) = (Builder::start(&[]).await, Image::new());
    let unique = uuid::Uuid::new_v4().to_string();
    let dockerfile = format!(
        "ARG BASE={BASE}\nFROM $BASE AS first\nRUN echo {unique} && \\\n  # between\n  echo one\n\nFROM $BASE\nARG CODE=3\nENV X=y\nCOPY --from=first /etc/hostname /\nRUN echo $X && \\\n    exit $CODE\n"
    );
    let reports = builder.build(archive(image.order(), &dockerfile, &[])).await;
    assert_eq!((last(&reports).status, last(&reports).line), (Status::Failed, Some(11)), "{:?}", lines(&reports));
}

#[tokio::test]
async fn build_arguments_reach_the_dockerfile_and_unlisted_ones_are_refused() {
    let vars = [("build_args", "GREETING"), ("operator_build_args", "BASE_IMAGE=debian:bookworm-slim")];
    let (builder, image) = (Builder::start(&vars).await, Image::new());
    let dockerfile = "ARG BASE_IMAGE\nFROM $BASE_IMAGE\nARG GREETING\nRUN echo \"say $GREETING\"\n";
    let order = json!({ "image": image.name(), "buildArgs": { "GREETING": uuid::Uuid::new_v4().to_string() } });
    let reports = builder.build(archive(order.clone(), dockerfile, &[])).await;
    let said = format!("  say {}", order["buildArgs"]["GREETING"].as_str().unwrap());
    assert!(lines(&reports).contains(&said), "{:?}", lines(&reports));

    let order = json!({ "image": image.name(), "buildArgs": { "OTHER": "1" } });
    let response = builder.post(archive(order, dockerfile, &[]), true).await;
    assert_eq!(response.status(), 400);
    assert!(response.text().await.unwrap().contains("the build argument OTHER is not allowed here"));
}

#[tokio::test]
async fn another_platform_is_refused_and_the_engines_own_is_built() {
    let (builder, image) = (Builder::start(&[]).await, Image::new());
    let order = |platform: &str| json!({ "image": image.name(), "platforms": [platform] });
    let response = builder.post(archive(order("plan9/mips"), "FROM scratch\nCOPY x /\n", &[("x", "")]), true).await;
    assert_eq!(response.status(), 400);
    assert!(response.text().await.unwrap().contains("and plan9/mips was asked for"));

    let version = docker().version().await.unwrap();
    let own = format!("{}/{}", version.os.unwrap(), version.arch.unwrap());
    let reports = builder.build(archive(order(&own), "FROM scratch\nCOPY x /\n", &[("x", "")])).await;
    assert_eq!(last(&reports).status, Status::Success);
}

#[tokio::test]
async fn a_tar_bomb_never_reaches_the_engine() {
    let (builder, image) = (Builder::start(&[("max_unpacked_bytes", "1000000")]).await, Image::new());
    let zeros = "0".repeat(1_000_001);
    let response = builder.post(archive(image.order(), "FROM scratch\n", &[("zeros", &zeros)]), true).await;
    assert_eq!(response.status(), 413);
    assert!(response.text().await.unwrap().contains("add up to more than 1000000 bytes"));
}
