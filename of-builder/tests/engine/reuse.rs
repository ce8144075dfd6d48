//! An image that is there already, made from the same upload.

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
