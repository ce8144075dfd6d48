//! Threats: a secret's value in a log, in an image, in its history, in the build context.

use std::io::Read as _;

use futures_util::StreamExt as _;
use of_builder::Status;

use super::*;
use crate::harness::docker;

/// Everything of an image: its layers unpacked, its configuration with the history, its manifest.
async fn export(image: &Image) -> Vec<u8> {
    let mut exported = Vec::new();
    let mut chunks = std::pin::pin!(docker().export_image(&image.name()));
    while let Some(chunk) = chunks.next().await {
        exported.extend_from_slice(&chunk.unwrap());
    }
    let mut all = exported.clone();
    for entry in tar::Archive::new(&exported[..]).entries().unwrap() {
        let mut bytes = Vec::new();
        entry.unwrap().read_to_end(&mut bytes).unwrap();
        if bytes.starts_with(b"\x1f\x8b") {
            flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut all).unwrap();
        }
    }
    all
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn a_secret_is_in_no_layer_no_history_and_no_setting_of_the_image() {
    let (builder, image, value) = (builder(&[]).await, Image::new(), value());
    let dockerfile = format!(
        "FROM {BASE} AS built\n{}FROM scratch\nCOPY --from=built /digest /digest\nCOPY . /all\n{}",
        step("npm_token", &format!("{} > /digest", tell())),
        "LABEL made=here\n",
    );
    let sealed = seal(&[("npm_token", &value)]);
    let reports = builder.build(sealed_archive(image.order(), Some(&sealed), &dockerfile, &[("file", "a file")])).await;
    assert_eq!(last(&reports).status, Status::Success, "{}", text(&reports));
    let exported = export(&image).await;
    // What is there can be found, so what is not found is not there.
    for there in [&sha256(&value), "a file", "all/Dockerfile"] {
        assert!(holds(&exported, there), "{there}");
    }
    let encoded = STANDARD.encode(&value);
    for hidden in [&value, &encoded, &sealed, "com.openfaas.secrets", "steps.invalid"] {
        assert!(!holds(&exported, hidden), "{hidden}");
    }
    let history = docker().image_history(&image.name()).await.unwrap();
    assert!(!format!("{history:?}").contains(&value));
}

#[tokio::test]
async fn a_secret_in_a_single_stage_leaves_nothing_but_an_empty_file() {
    let (builder, image, value) = (builder(&[]).await, Image::new(), value());
    let dockerfile = format!("FROM {BASE}\n{}", step("npm_token", &format!("{} > /digest", tell())));
    let sealed = seal(&[("npm_token", &value)]);
    builder.build(sealed_archive(image.order(), Some(&sealed), &dockerfile, &[])).await;
    let exported = export(&image).await;
    assert!(holds(&exported, &sha256(&value)) && !holds(&exported, &value) && !holds(&exported, "steps.invalid"));
}

#[tokio::test]
async fn a_secret_is_in_no_line_of_the_log() {
    let (builder, value) = (builder(&[]).await, value());
    let unique = uuid::Uuid::new_v4();
    let file = "/run/secrets/npm_token";
    let long = format!("{}\n{}\n", value.repeat(8), "second-line-of-it");
    let prints = [
        format!("cat {file}"),
        format!("cat {file} >&2"),
        format!("printf before; cat {file}; printf 'after\\n'"),
        format!("base64 {file}"),
        format!("printf 'user:%s' \"$(cat {file})\" | base64"),
        format!("fold -w 9 {file}; echo"),
        format!("base64 -w 20 {file}"),
        format!("set -x; echo \"token=$(cat {file})\""),
        format!("echo \"https://x/?t=$(cat {file})&y\""),
        format!("head -c 8 {file}; sleep 0.2; tail -c +9 {file}; echo"),
        "base64 /run/secrets/long; cat /run/secrets/long".to_owned(),
        format!("cat {file}; echo 'the end'; exit 3"),
    ];
    for print in prints {
        let image = Image::new();
        let command = format!("--mount=type=secret,id=long echo {unique}; {print}");
        let dockerfile = format!("FROM {BASE}\n{}", step("npm_token", &command));
        let sealed = seal(&[("npm_token", &value), ("long", &long)]);
        let reports = builder.build(sealed_archive(image.order(), Some(&sealed), &dockerfile, &[])).await;
        let log = text(&reports);
        assert!(log.contains("***"), "{print}: {log}");
        // Without what separates lines, so that a value that is spread over some is found too.
        let run: String = lines(&reports).iter().map(|line| line.trim()).collect();
        for hidden in [value.clone(), STANDARD.encode(&value)[..40].to_owned(), "second-line-of-it".to_owned()] {
            assert!(!log.contains(&hidden) && !run.contains(&hidden), "{print}: {log}");
        }
    }
}

#[tokio::test]
async fn a_secret_is_in_no_error() {
    let (builder, image, value) = (builder(&[]).await, Image::new(), value());
    // Whoever writes the value into the Dockerfile has it in the engine's sentences, too.
    let dockerfile = format!("FROM {BASE}\nCOPY {value} /x\n");
    let sealed = seal(&[("npm_token", &value)]);
    let reports = builder.build(sealed_archive(image.order(), Some(&sealed), &dockerfile, &[])).await;
    let log = text(&reports);
    assert_eq!(last(&reports).status, Status::Failed);
    assert!(!log.contains(&value) && last(&reports).error.contains("***"), "{log}");
}
