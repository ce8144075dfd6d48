//! An image that is there already, made from the same upload.

use std::time::Duration;

use bollard::query_parameters::RemoveImageOptions;
use serde_json::json;

use super::harness::{BASE, Builder, Image, archive, docker, last, lines};

const REUSE: (&str, &str) = ("reuse_images", "true");

fn says_so(log: &[String]) -> bool {
    log.iter().any(|line| line.starts_with("nothing to build"))
}

#[tokio::test]
async fn the_same_upload_is_not_built_twice_and_another_one_is() {
    let (builder, image) = (Builder::start(&[REUSE]).await, Image::new());
    let dockerfile = format!("FROM {BASE}\nCOPY x /x\n");
    let tar = |content: &str| archive(image.order(), &dockerfile, &[("x", content)]);
    let unique = uuid::Uuid::new_v4().to_string();
    let first = builder.build(tar(&unique)).await;
    let second = builder.build(tar(&unique)).await;
    assert!(!says_so(&lines(&first)) && says_so(&lines(&second)), "{:?}", lines(&second));
    assert_eq!((last(&first).reused, last(&second).reused), (false, true));
    assert_eq!(last(&first).image, last(&second).image);
    let changed = builder.build(tar("something else")).await;
    assert!(!says_so(&lines(&changed)));
    assert_ne!(last(&first).digest, last(&changed).digest);
    // The name leads to the other image now.
    assert!(!says_so(&lines(&builder.build(tar(&unique)).await)));
}

#[tokio::test]
async fn a_caller_that_wants_nothing_of_earlier_builds_gets_every_step_anew() {
    let (builder, image) = (Builder::start(&[REUSE]).await, Image::new());
    let unique = uuid::Uuid::new_v4().to_string();
    let dockerfile = format!("FROM {BASE}\nRUN echo {unique} && cat /proc/sys/kernel/random/uuid > /made\n");
    let tar = |no_cache: bool| {
        let mut order = image.order();
        order["noCache"] = no_cache.into();
        archive(order, &dockerfile, &[])
    };
    let first = builder.build(tar(true)).await;
    let second = builder.build(tar(true)).await;
    for reports in [&first, &second] {
        let log = lines(reports);
        assert!(
            !says_so(&log) && !log.iter().any(|line| line.contains("RUN") && line.ends_with("(cached)")),
            "{log:?}"
        );
        assert!(!last(reports).reused);
    }
    assert_ne!(last(&first).digest, last(&second).digest);
}

#[tokio::test]
async fn an_image_that_is_gone_or_was_made_by_others_is_built() {
    let (builder, image) = (Builder::start(&[REUSE]).await, Image::new());
    let dockerfile = format!("FROM {BASE}\nLABEL com.openfaas.cloud.builder.upload=forged\nCOPY x /x\n");
    let tar = archive(image.order(), &dockerfile, &[("x", "x")]);
    let plain = Builder::start(&[]).await;
    plain.build(tar.clone()).await;
    assert!(!says_so(&lines(&builder.build(tar.clone()).await)), "a Dockerfile's own label was believed");
    docker().remove_image(&image.name(), None::<RemoveImageOptions>, None).await.unwrap();
    assert!(!says_so(&lines(&builder.build(tar).await)));
}

#[tokio::test]
async fn other_build_arguments_are_another_upload() {
    let (builder, image) = (Builder::start(&[REUSE, ("build_args", "WORD")]).await, Image::new());
    let order = |word: &str| {
        let mut order = image.order();
        order["buildArgs"] = json!({ "WORD": word });
        order
    };
    let dockerfile = format!("FROM {BASE}\nARG WORD\nRUN echo $WORD > /word\n");
    builder.build(archive(order("one"), &dockerfile, &[])).await;
    assert!(!says_so(&lines(&builder.build(archive(order("two"), &dockerfile, &[])).await)));
}

/// The engine tells ages in seconds: what is made after this is newer than what was made before.
async fn next_second() {
    let second = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let before = second();
    let mut look = tokio::time::interval(Duration::from_millis(20));
    while second() == before {
        look.tick().await;
    }
}

#[tokio::test]
async fn old_images_go_and_those_in_use_stay() {
    let (builder, owner) =
        (Builder::start(&[REUSE]).await, format!("of-builder-test-{}", uuid::Uuid::new_v4().simple()));
    let names: Vec<String> = (0..8).map(|n| format!("{owner}/shop-cart:{n}")).collect();
    let mut container = None;
    for name in &names {
        let dockerfile = "FROM scratch\nCOPY x /x\nCMD [\"/x\"]\n";
        let tar = archive(json!({ "image": name }), dockerfile, &[("x", name)]);
        assert!(last(&builder.build(tar).await).error.is_empty());
        if container.is_none() {
            let body = bollard::models::ContainerCreateBody { image: Some(name.clone()), ..Default::default() };
            container = Some(docker().create_container(None, body).await.unwrap().id);
            next_second().await;
        }
    }
    let left = async || {
        let mut left = Vec::new();
        for name in &names {
            if docker().inspect_image(name).await.is_ok() {
                left.push(name.rsplit(':').next().unwrap());
            }
        }
        left
    };
    let mut look = tokio::time::interval(Duration::from_millis(20));
    let gone = async {
        while left().await.len() > 6 {
            look.tick().await;
        }
    };
    // What is left after that is judged below, when everything is cleared away.
    let _ = tokio::time::timeout(Duration::from_secs(20), gone).await;
    let left = left().await;
    docker().remove_container(&container.unwrap(), None).await.unwrap();
    for name in &names {
        let _ = docker().remove_image(name, None::<RemoveImageOptions>, None).await;
    }
    // Which of the others are older is not known: they may be made in one second.
    assert!(left.len() == 6 && left.contains(&"0") && left.contains(&"7"), "{left:?}");
}
