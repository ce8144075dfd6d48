//! Build secrets: what the controller opened, and only as it was imported.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto_box::aead::Aead as _;
use crypto_box::{PublicKey, SalsaBox, SecretKey};
use http::StatusCode;
use sdk::secrets::{BuildWish, ForBuild, SecretRef, SecretsRequest};
use serde_json::json;

use crate::setup::{push, sealed};
use crate::stage::InCluster;

const PRIVATE: &str = "Px7hyZSojPu4ZVmjTJynIfLrKZ8afASgJqL7leTAFUE=";
const PUBLIC: &str = "elZ06m5w6Xg03qRiXr7lga91gbN38vXOZuhqUk04ghI=";

async fn stage() -> InCluster {
    let stage = InCluster::with(&[("builder_public_key", PUBLIC)]).await;
    let file = sealed("alice-npm", &[("token", "npm_s3cr3t"), ("user", "ada")]);
    stage.import(&push("alice", "secrets"), Some(&file), &[]).await;
    stage
}

/// What a build gets as `id`, or why it does not.
async fn token(stage: &InCluster) -> Result<String, (StatusCode, String)> {
    let wanted = SecretRef { secret: "npm".parse().unwrap(), key: Some("token".to_owned()) };
    let wish = BuildWish { event: push("alice", "app"), wanted: [("id".to_owned(), wanted)].into() };
    let (status, text) = stage.ask(&SecretsRequest::SealForBuild(wish)).await;
    if status != StatusCode::OK {
        return Err((status, text));
    }
    let file = serde_json::from_str::<ForBuild>(&text).unwrap().file;
    let field = |begin: &str| file.lines().find_map(|line| line.trim().strip_prefix(begin)).unwrap().to_owned();
    let bytes = |text: &str| STANDARD.decode(text).unwrap();
    let sender = PublicKey::from_slice(&bytes(&field("public_key: "))).unwrap();
    let opener = SalsaBox::new(&sender, &SecretKey::from_slice(&bytes(PRIVATE)).unwrap());
    let value = bytes(&field("\"id\": "));
    Ok(String::from_utf8(opener.decrypt(value[..24].into(), &value[24..]).unwrap()).unwrap())
}

#[tokio::test]
async fn a_build_is_given_what_the_controller_opened() {
    assert_eq!(token(&stage().await).await.unwrap(), "npm_s3cr3t");
}

#[tokio::test]
async fn what_is_not_as_it_was_imported_is_given_to_no_build() {
    let stage = stage().await;
    stage.cluster.state().controller = false;
    let before = stage.cluster.sealed("alice-npm").unwrap();
    // Somebody sealed another value by hand.
    stage.cluster.change(|state| {
        state.sealed.get_mut("alice-npm").unwrap()["spec"]["encryptedData"]["token"] = "b3RoZXI=".into();
    });
    let (status, text) = token(&stage).await.unwrap_err();
    assert_eq!(status, 422);
    assert_eq!(text.trim(), "the key token of alice-npm: it is not in the cluster as it was imported");
    // Somebody made a Secret by hand.
    stage.cluster.change(|state| {
        state.sealed.insert("alice-npm".to_owned(), before.clone());
    });
    stage.cluster.make_secret("alice-npm", json!({}));
    let (status, text) = token(&stage).await.unwrap_err();
    assert_eq!((status.as_u16(), text.trim()), (422, "alice-npm: it was not made from what was imported"));
    // Somebody took the labels away.
    stage.cluster.change(|state| {
        state.sealed.get_mut("alice-npm").unwrap()["metadata"]["labels"] = json!({});
    });
    assert_eq!(token(&stage).await.unwrap_err().0, 422);
    stage.cluster.change(|state| state.sealed.clear());
    assert_eq!(token(&stage).await.unwrap_err().0, 422);
}
