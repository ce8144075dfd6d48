//! Build secrets: what a step sees of them, and what nobody else does.

mod leaks;
mod refusals;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto_box::aead::{Aead as _, AeadCore as _, OsRng};
use crypto_box::{PublicKey, SalsaBox, SecretKey};
use of_builder::{Report, Status};
use sha2::{Digest as _, Sha256};

use crate::harness::{BASE, Builder, Image, archive, last, lines, sealed_archive};

/// Of the builders of these tests.
const KEY: &str = "Px7hyZSojPu4ZVmjTJynIfLrKZ8afASgJqL7leTAFUE=";
const PUBLIC: &str = "elZ06m5w6Xg03qRiXr7lga91gbN38vXOZuhqUk04ghI=";

async fn builder(vars: &[(&str, &str)]) -> Builder {
    Builder::with_secrets(vars, &[("builder-private-key", KEY)]).await
}

/// Seals as faas-cli does.
fn seal(values: &[(&str, &str)]) -> String {
    seal_for(PUBLIC, values)
}

fn seal_for(public: &str, values: &[(&str, &str)]) -> String {
    let own = SecretKey::generate(&mut OsRng);
    let sealer = SalsaBox::new(&PublicKey::from_slice(&STANDARD.decode(public).unwrap()).unwrap(), &own);
    let sealed: String = (values.iter())
        .map(|(id, value)| {
            let nonce = SalsaBox::generate_nonce(&mut OsRng);
            let sealed = [&nonce[..], &sealer.encrypt(&nonce, value.as_bytes()).unwrap()].concat();
            format!("  {id}: {}\n", STANDARD.encode(sealed))
        })
        .collect();
    let (id, own) = (&public[..8], STANDARD.encode(own.public_key().as_bytes()));
    format!("version: v1\nalgorithm: nacl/box\nkey_id: {id}\npublic_key: {own}\nsecrets:\n{sealed}")
}

/// A value that no other test has.
fn value() -> String {
    format!("npm_{}", uuid::Uuid::new_v4().simple())
}

fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

/// A step that tells the digest of the secret `id`, and nothing else of it.
fn step(id: &str, command: &str) -> String {
    format!("RUN --mount=type=secret,id={id} {command}\n")
}

/// Another command each time, as a step that was run before is not run again for another value.
fn tell() -> String {
    format!("(: {}; sha256sum < /run/secrets/npm_token)", uuid::Uuid::new_v4())
}

fn text(reports: &[(std::time::Instant, Report)]) -> String {
    format!("{}\n{}", lines(reports).join("\n"), last(reports).error)
}

#[tokio::test]
async fn a_step_sees_the_secrets_value() {
    let (builder, image, value) = (builder(&[]).await, Image::new(), value());
    let dockerfile = format!(
        "FROM {BASE}\n{}{}",
        step("npm_token", &tell()),
        step("other,target=/root/.npmrc,mode=0440", "stat -c %a /root/.npmrc && sha256sum /root/.npmrc")
    );
    let sealed = seal(&[("npm_token", &value), ("other", "of another kind")]);
    let reports = builder.build(sealed_archive(image.order(), Some(&sealed), &dockerfile, &[])).await;
    assert_eq!(last(&reports).status, Status::Success, "{}", text(&reports));
    let log = text(&reports);
    assert!(log.contains(&sha256(&value)) && log.contains(&sha256("of another kind")) && log.contains("440"), "{log}");
}

#[tokio::test]
async fn a_secret_that_is_required_and_not_there_fails_the_build_by_its_name() {
    let builder = builder(&[]).await;
    let unique = uuid::Uuid::new_v4();
    let dockerfile = format!("FROM {BASE}\n{}", step("npm_token,required=true", &format!("echo {unique}")));
    for sealed in [None, Some(seal(&[("other", "value-of-other")]))] {
        let image = Image::new();
        let reports = builder.build(sealed_archive(image.order(), sealed.as_deref(), &dockerfile, &[])).await;
        let end = last(&reports);
        assert_eq!((end.status, end.retry, end.line), (Status::Failed, false, Some(2)), "{}", text(&reports));
        assert!(end.error.contains("npm_token") && end.error.contains("not found"), "{}", end.error);
    }
}

#[tokio::test]
async fn a_secret_that_is_not_required_may_be_missing() {
    let (builder, image) = (builder(&[]).await, Image::new());
    let command = format!("test -e /run/secrets/npm_token || echo none for {}", uuid::Uuid::new_v4());
    let reports =
        builder.build(archive(image.order(), &format!("FROM {BASE}\n{}", step("npm_token", &command)), &[])).await;
    assert!(lines(&reports).iter().any(|line| line.starts_with("  none for ")), "{}", text(&reports));
}

#[tokio::test]
async fn a_changed_value_builds_nothing_again() {
    let builder = builder(&[]).await;
    let unique = uuid::Uuid::new_v4();
    let dockerfile = format!("FROM {BASE}\n{}", step("npm_token", &format!("echo {unique} > /made")));
    let build = async |value: &str| {
        let image = Image::new();
        let sealed = seal(&[("npm_token", value)]);
        lines(&builder.build(sealed_archive(image.order(), Some(&sealed), &dockerfile, &[])).await)
    };
    let cached = |log: &[String]| log.iter().any(|line| line.contains("RUN") && line.ends_with("(cached)"));
    assert!(!cached(&build("first-value").await));
    let again = build("second-value").await;
    assert!(cached(&again), "{again:?}");
}

#[tokio::test]
async fn an_upload_that_was_only_sealed_again_is_the_same_upload() {
    let (builder, image) = (builder(&[("reuse_images", "true")]).await, Image::new());
    let dockerfile = format!("FROM {BASE}\nCOPY x /x\n{}", step("npm_token", "true"));
    let unique = uuid::Uuid::new_v4().to_string();
    let build = async |content: &str, secrets: &[(&str, &str)]| {
        let sealed = (!secrets.is_empty()).then(|| seal(secrets));
        let tar = sealed_archive(image.order(), sealed.as_deref(), &dockerfile, &[("x", content)]);
        last(&builder.build(tar).await).reused
    };
    assert!(!build(&unique, &[("npm_token", "first-value")]).await);
    assert!(build(&unique, &[("npm_token", "first-value")]).await, "sealed again");
    assert!(build(&unique, &[("npm_token", "second-value")]).await, "another value");
    assert!(!build(&unique, &[("npm_token", "first-value"), ("b", "more")]).await, "another id");
    assert!(!build(&unique, &[]).await, "no secrets");
    assert!(!build("other", &[("npm_token", "first-value")]).await, "another file");
}

#[tokio::test]
async fn two_owners_with_the_same_files_never_get_each_others_secrets() {
    let builder = builder(&[]).await;
    let unique = uuid::Uuid::new_v4().simple().to_string();
    // Everything that decides about a cached step is the same for all of them.
    let dockerfile = format!(
        "FROM {BASE}\n{}RUN echo told; cat /kept\n",
        step("npm_token", &format!("echo {unique}; (sha256sum < /run/secrets/npm_token || echo nothing) > /kept 2>&1"))
    );
    let build = async |owner: &str, value: Option<&str>| {
        let image = Image::below(&format!("of-builder-test-{owner}-{unique}"));
        let sealed = value.map(|value| seal(&[("npm_token", value)]));
        let reports = builder.build(sealed_archive(image.order(), sealed.as_deref(), &dockerfile, &[])).await;
        assert_eq!(last(&reports).status, Status::Success, "{}", text(&reports));
        text(&reports)
    };
    let (alices, bobs) = (value(), value());
    let (of_alice, of_bob, of_eve) =
        tokio::join!(build("alice", Some(&alices)), build("bob", Some(&bobs)), build("eve", None));
    assert!(of_alice.contains(&sha256(&alices)), "{of_alice}");
    assert!(of_bob.contains(&sha256(&bobs)) && !of_bob.contains(&sha256(&alices)), "{of_bob}");
    assert!(of_eve.contains("nothing"), "{of_eve}");
    // Now the steps of all of them are cached.
    let of_mallory = build("mallory", None).await;
    assert!(!of_mallory.contains(&sha256(&alices)) && !of_mallory.contains(&sha256(&bobs)), "{of_mallory}");
    let of_carol = build("carol", Some("carols-own")).await;
    assert!(of_carol.contains(&sha256("carols-own")), "{of_carol}");
}
