//! What the builder is given, and what becomes of its answers.

use http::StatusCode;
use sdk::deploy::OrderImage;

use crate::builder::success;
use crate::setup::{context, order, setup, setup_with};

const IMAGE: &str = "alice/hello-greet@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

#[tokio::test]
async fn the_builder_gets_the_rest_of_the_tar_as_it_is() {
    let setup = setup().await;
    let (status, text) = setup.ship(&order()).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&answer["image"], &answer["built"]), (&IMAGE.into(), &true.into()));
    assert_eq!(setup.builder.archives(), [context()]);
    assert_eq!(setup.gateway.function("alice-greet").unwrap().image, IMAGE);
}

#[tokio::test]
async fn log_lines_reach_pipeline_log_in_order() {
    let setup = setup().await;
    setup.ship(&order()).await;
    let log = setup.log().await;
    assert!(log.starts_with("[1/2] FROM debian\n[2/2] COPY . .\nbuilt in "), "{log}");
}

#[tokio::test]
async fn an_image_that_is_there_is_not_built() {
    let setup = setup().await;
    let existing = sdk::deploy::DeployOrder { image: OrderImage::Existing(IMAGE.to_owned()), ..order() };
    let (status, text) = setup.ship(&existing).await;
    assert_eq!(status, StatusCode::OK);
    assert!(text.contains(r#""built":false"#), "{text}");
    assert!(setup.builder.archives().is_empty() && setup.gateway.messages("pipeline-log").is_empty());
    assert_eq!(setup.gateway.function("alice-greet").unwrap().image, IMAGE);
    let strange = sdk::deploy::DeployOrder { image: OrderImage::Existing("a b".to_owned()), ..order() };
    assert_eq!(setup.ship(&strange).await.0, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn an_image_of_an_earlier_build_is_deployed_and_not_said_to_be_built() {
    let setup = setup().await;
    setup
        .builder
        .answer_next(StatusCode::OK, &format!(r#"{{"log":[],"image":"{IMAGE}","status":"success","reused":true}}"#));
    let (status, text) = setup.ship(&order()).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&answer["image"], &answer["built"]), (&IMAGE.into(), &false.into()));
    let sentence = "the image of an earlier build is used";
    assert_eq!(setup.log().await, format!("{sentence}\n"));
    assert_eq!(setup.gateway.function("alice-greet").unwrap().image, IMAGE);
}

#[tokio::test]
async fn a_build_that_fails_is_final_and_its_last_lines_are_shown() {
    let setup = setup().await;
    let lines: Vec<String> = (0..100).map(|n| format!("\"line {n}\"")).collect();
    let progress = format!(r#"{{"log":[{}],"status":"in_progress"}}"#, lines.join(","));
    let end = r#"{"log":[],"image":"","status":"failed","error":"RUN make: exit code 2","line":4}"#;
    setup.builder.answer_next(StatusCode::OK, &format!("{progress}\n{end}\n"));
    let sentence = "the build failed: RUN make: exit code 2";
    let (status, refused) = setup.refused(&order()).await;
    assert_eq!((status, refused.error.as_str()), (StatusCode::UNPROCESSABLE_ENTITY, sentence));
    assert_eq!(refused.dockerfile_line, Some(4));
    let shown: Vec<_> = refused.log.lines().collect();
    assert_eq!((shown.len(), shown[0], shown[29]), (30, "line 70", "line 99"));
    assert!(setup.log().await.ends_with("line 99\nthe build failed: RUN make: exit code 2\n"));
    assert_eq!(setup.audits(), [format!("greet was not deployed: {sentence}")]);
    assert!(setup.gateway.function_names().is_empty());
}

#[tokio::test]
async fn the_builders_own_troubles_are_worth_another_try_and_are_no_line_s_fault() {
    let refused = r#"{"status":"failed","error":"the container engine stopped","retry":true,"line":1}"#;
    for (status, body) in [
        (StatusCode::OK, refused),
        (StatusCode::SERVICE_UNAVAILABLE, refused),
        (StatusCode::INTERNAL_SERVER_ERROR, "<html>"),
        (StatusCode::FORBIDDEN, "{}"),
        (StatusCode::OK, ""),
        (StatusCode::OK, r#"{"status":"in_progress"}"#),
        (StatusCode::OK, "not json\n"),
        (StatusCode::OK, r#"{"status":"success","image":"alice/hello-greet:latest"}"#),
        (StatusCode::OK, r#"{"status":"success"}"#),
    ] {
        let setup = setup().await;
        setup.builder.answer_next(status, body);
        let (code, refused) = setup.refused(&order()).await;
        assert_eq!(code, StatusCode::BAD_GATEWAY, "{body}: {refused:?}");
        assert_eq!(refused.dockerfile_line, None);
        assert!(setup.gateway.function_names().is_empty());
        assert_eq!(setup.ship(&order()).await.0, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_silent_builder_is_worth_another_try() {
    let setup = setup_with(&[("builder_url", "http://127.0.0.1:1/")]).await;
    let (status, text) = setup.ship(&order()).await;
    assert_eq!((status, text.as_str()), (StatusCode::BAD_GATEWAY, "the builder does not answer"));
}

#[tokio::test]
async fn what_the_builder_refuses_is_final_and_what_is_unknown_is_no_success() {
    for (status, body, sentence) in [
        (StatusCode::BAD_REQUEST, r#"{"status":"failed","error":"no Dockerfile"}"#, "the build failed: no Dockerfile"),
        (StatusCode::PAYLOAD_TOO_LARGE, "too large\nmore", "the build failed: too large"),
        (
            StatusCode::OK,
            r#"{"status":"splendid","image":"a@sha256:0"}"#,
            "the build failed: the builder does not say why",
        ),
    ] {
        let setup = setup().await;
        setup.builder.answer_next(status, body);
        assert_eq!(setup.ship(&order()).await, (StatusCode::UNPROCESSABLE_ENTITY, sentence.to_owned()));
    }
}

#[tokio::test]
async fn a_busy_builder_is_asked_again() {
    let setup = setup().await;
    for _ in 0..2 {
        setup.builder.answer_next(StatusCode::TOO_MANY_REQUESTS, "busy");
    }
    assert_eq!(setup.ship(&order()).await.0, StatusCode::OK);
    assert_eq!(setup.builder.archives(), [context(), context(), context()]);
}

#[tokio::test]
async fn a_build_that_takes_too_long_is_stopped() {
    let setup = setup_with(&[("build_timeout", "100ms")]).await;
    setup.builder.never_answer_next();
    let (status, text) = setup.ship(&order()).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(text.starts_with("the build was not done within"), "{text}");
}

#[tokio::test]
async fn others_builds_that_take_all_the_time_are_not_this_ones_fault() {
    let setup = setup_with(&[("build_timeout", "600ms")]).await;
    for _ in 0..100 {
        setup.builder.answer_next(StatusCode::TOO_MANY_REQUESTS, "busy");
    }
    let (status, text) = setup.ship(&order()).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY, "{text}");
    assert!(text.starts_with("the builder was busy with other builds"), "{text}");
    assert!(setup.builder.archives().len() < 5);

    let setup = setup_with(&[("build_timeout", "400ms")]).await;
    setup.builder.answer_next(StatusCode::TOO_MANY_REQUESTS, "busy");
    setup.builder.never_answer_next();
    assert_eq!(setup.ship(&order()).await.0, StatusCode::BAD_GATEWAY, "its own turn was the shorter part");
}

#[tokio::test]
async fn an_image_is_pulled_from_where_the_operator_says() {
    let vars = [("push_repository_url", "registry:5000"), ("repository_url", "127.0.0.1:5000/")];
    let setup = setup_with(&vars).await;
    setup.builder.answer_next(StatusCode::OK, &success("registry:5000/alice/hello-greet:0"));
    assert_eq!(setup.ship(&order()).await.0, StatusCode::OK);
    assert_eq!(setup.gateway.function("alice-greet").unwrap().image, format!("127.0.0.1:5000/{IMAGE}"));
}

#[tokio::test]
async fn a_log_that_cannot_be_kept_does_not_stop_the_build() {
    let setup = setup().await;
    for _ in 0..3 {
        setup.gateway.refuse_next("POST /function/pipeline-log", StatusCode::INTERNAL_SERVER_ERROR, "disk full");
    }
    assert_eq!(setup.ship(&order()).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_log_without_end_is_cut_and_its_last_lines_are_still_shown() {
    let setup = setup().await;
    let lines = vec![format!("\"{}\"", "x".repeat(4000)); 250].join(",");
    let report = format!(r#"{{"log":[{lines}],"status":"in_progress"}}"#) + "\n";
    let end = r#"{"log":["the last line"],"status":"failed","error":"exit code 1"}"#;
    setup.builder.answer_next(StatusCode::OK, &(report.repeat(68) + end));
    let (status, refused) = setup.refused(&order()).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.log.ends_with("the last line") && refused.log.len() <= 24 * 1024);
    let log = setup.log().await;
    assert!(log.ends_with("\n(the rest of the log is left out)\n"));
    assert!((63 * 1024 * 1024..65 * 1024 * 1024).contains(&log.len()), "{}", log.len());
    let parts = setup.gateway.messages("pipeline-log");
    // A part may be a line longer; many small ones would keep the log's keeper busy.
    assert!(parts.iter().all(|message| message.body.len() < 264 * 1024) && parts.len() < 2000, "{}", parts.len());
}
