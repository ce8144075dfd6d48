//! Builds that must not go on.

use std::time::Instant;

use of_builder::{Report, Status};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, UnixStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::harness::{Builder, Endless, GONE_WITHIN, Image, Reports, SOCKET, archive};

#[tokio::test]
async fn when_the_client_goes_the_step_is_killed() {
    let (builder, image, step) = (Builder::start(&[]).await, Image::new(), Endless::new());
    let mut reports = Reports::new(builder.post(archive(image.order(), &step.dockerfile(), &[]), true).await);
    reports.until("sleeping").await;
    step.until_running().await;
    drop(reports);
    step.until_gone().await;
}

#[tokio::test]
async fn when_the_client_goes_before_the_only_answer_the_step_is_killed() {
    let (builder, image, step) = (Builder::start(&[]).await, Image::new(), Endless::new());
    let request = builder.post(archive(image.order(), &step.dockerfile(), &[]), false);
    tokio::select! {
        response = request => panic!("the build ended: {}", response.status()),
        () = step.until_running() => {}
    }
    step.until_gone().await;
}

#[tokio::test]
async fn one_build_too_many_is_429_and_the_place_is_given_back() {
    let (builder, image, step) = (Builder::start(&[("max_inflight", "1")]).await, Image::new(), Endless::new());
    let mut reports = Reports::new(builder.post(archive(image.order(), &step.dockerfile(), &[]), true).await);
    reports.until("sleeping").await;

    let small = archive(image.order(), "FROM scratch\nCOPY x /\n", &[("x", "")]);
    let response = builder.post(small.clone(), true).await;
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "5");
    let report: Report = response.json().await.unwrap();
    assert!(report.retry && report.error.starts_with("1 builds run already"), "{report:?}");

    step.until_running().await;
    drop(reports);
    step.until_gone().await;
    let deadline = Instant::now() + GONE_WITHIN;
    let mut response = builder.post(small.clone(), false).await;
    while response.status() == 429 && Instant::now() < deadline {
        response = builder.post(small.clone(), false).await;
    }
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn a_build_that_takes_too_long_is_stopped() {
    let (builder, image, step) = (Builder::start(&[("build_timeout", "2s")]).await, Image::new(), Endless::new());
    let reports = builder.build(archive(image.order(), &step.dockerfile(), &[])).await;
    let end = crate::harness::last(&reports);
    assert_eq!((end.status, end.retry), (Status::Failed, false));
    assert_eq!(end.error, "the build took longer than 2 s and was stopped");
    step.until_gone().await;
}

#[tokio::test]
async fn a_builder_that_stops_cancels_its_builds_and_says_that_they_can_be_sent_again() {
    let (builder, image, step) = (Builder::start(&[]).await, Image::new(), Endless::new());
    let mut reports = Reports::new(builder.post(archive(image.order(), &step.dockerfile(), &[]), true).await);
    reports.until("sleeping").await;
    builder.shutdown.cancel();
    let mut end = reports.next().await.unwrap();
    while end.status == Status::InProgress {
        end = reports.next().await.unwrap();
    }
    assert!(end.retry, "{end:?}");
    step.until_gone().await;
}

#[tokio::test]
async fn an_engine_that_breaks_off_is_not_the_builds_fault() {
    let line = Line::to_the_engine().await;
    let (builder, image, step) = (Builder::start(&[("docker_host", &line.url)]).await, Image::new(), Endless::new());
    let mut reports = Reports::new(builder.post(archive(image.order(), &step.dockerfile(), &[]), true).await);
    reports.until("sleeping").await;
    line.cut.cancel();
    let mut end = reports.next().await.unwrap();
    while end.status == Status::InProgress {
        end = reports.next().await.unwrap();
    }
    assert!(end.retry, "{end:?}");
    assert!(end.error.contains("the container engine"), "{end:?}");
    step.until_gone().await;
}

/// A connection to the engine that can be cut.
struct Line {
    url: String,
    cut: CancellationToken,
}

impl Line {
    async fn to_the_engine() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("tcp://{}", listener.local_addr().unwrap());
        let cut = CancellationToken::new();
        tokio::spawn(cut.clone().run_until_cancelled_owned(async move {
            let mut open = JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                open.spawn(async move {
                    let mut far = UnixStream::connect(SOCKET).await.unwrap();
                    let _ = copy_bidirectional(&mut near, &mut far).await;
                });
            }
        }));
        Self { url, cut }
    }
}
