//! Weaknesses of the original, each with its number.

use crate::setup::{NAMESPACE, Stage, document, names, own_key, push, sealed, sealed_to};

#[tokio::test]
async fn s32_secrets_of_others_and_of_the_platform_are_neither_written_nor_found() {
    let stage = Stage::start().await;
    let (alice, longer) = (push("alice", "secrets"), push("alice-x", "secrets"));
    stage.import(&longer, Some(&sealed("alice-x-db", &[("k", "theirs")])), &[]).await;
    // `alice` + `x-db` is the name that `alice-x` + `db` makes.
    let (status, text) = stage.refused(&alice, &sealed("alice-x-db", &[("k", "mine now")])).await;
    assert_eq!(status, 409);
    assert!(text.contains("belong to someone else"), "{text}");
    let known = stage.look(&alice, &["x-db"]).await;
    assert!(known.found.is_empty() && known.missing.is_empty(), "whoever deploys refuses it: {known:?}");
    // Nor when the other owner is no tenant any more, or has another login by now: what is in its record is its own.
    let other = push("alice-y", "secrets");
    stage.import(&other, Some(&sealed("alice-y-db", &[("k", "theirs")])), &[]).await;
    assert_eq!(stage.look(&alice, &["y-db"]).await.missing, names(&["y-db"]));
    assert_eq!(stage.refused(&alice, &sealed("alice-y-db", &[("k", "mine")])).await.0, 409);
    let again = sdk::event::PushEvent { owner_id: other.owner_id + 1, ..other };
    assert_eq!(stage.look(&again, &["db"]).await.missing, names(&["db"]), "a login that came to another account");
    assert_eq!(stage.refused(&again, &sealed("alice-y-db", &[("k", "mine")])).await.0, 409);
    assert_eq!(stage.value("alice-x-db").as_deref(), Some("theirs"));
    assert_eq!(stage.value("alice-y-db").as_deref(), Some("theirs"));
    // `payload` + `secret` is the platform's.
    for (owner, secret) in
        [("payload", "payload-secret"), ("sealing", "sealing-keys"), ("basic", "basic-auth-password")]
    {
        let (status, _) = stage.refused(&push(owner, "secrets"), &sealed(secret, &[("k", "v")])).await;
        assert_eq!(status, 409, "{secret}");
        let short = secret.strip_prefix(&format!("{owner}-")).unwrap();
        stage.gateway.put_secret(secret, b"the platform's");
        assert!(stage.look(&push(owner, "secrets"), &[short]).await.found.is_empty());
    }
}

#[tokio::test]
async fn s37_namespace_annotations_and_owner_are_not_the_authors_to_choose() {
    let stage = Stage::start().await;
    let event = push("alice", "secrets");
    let own = own_key().certificate();
    for namespace in ["openfaas", "kube-system", "default"] {
        let (status, text) = stage.refused(&event, &sealed_to(own, namespace, "alice-db", &[("k", "v")])).await;
        assert_eq!(status, 422, "{text}");
    }
    let good = sealed("alice-db", &[("k", "v")]);
    let bad = [
        good.replace("spec:\n", "  annotations: {sealedsecrets.bitnami.com/cluster-wide: \"true\"}\nspec:\n"),
        good.replace("  template:\n", "  template:\n    data: {k: \"{{ .k }}\"}\n"),
        good.replace("  template:\n", "  template:\n    type: kubernetes.io/service-account-token\n"),
    ];
    for file in &bad {
        let (status, text) = stage.refused(&event, file).await;
        assert_eq!(status, 422, "{file}: {text}");
    }
    assert!(stage.gateway.secret_names().is_empty());
    // Owner references are passed over: whose a secret is, the push says.
    let owned = good.replace("spec:\n", "  ownerReferences: [{kind: Pod, name: x, uid: y}]\nspec:\n");
    stage.import(&event, Some(&owned), &[]).await;
    assert_eq!(stage.record(event.owner_id)["secrets"]["db"]["repo_id"], event.repo_id);
    assert!(!stage.record(event.owner_id).to_string().contains("Pod"));
    // What does not open is an error and not an empty value, and a key that is gone is removed.
    let undecodable = document(NAMESPACE, "alice-db", &[("k", "!".to_owned())]);
    assert_eq!(stage.refused(&event, &undecodable).await.0, 422);
    stage.import(&event, Some(&sealed("alice-db", &[("a", "1"), ("b", "2"), ("c", "3")])), &[]).await;
    stage.import(&event, Some(&sealed("alice-db", &[("a", "1"), ("b", "2")])), &[]).await;
    stage.prune(&event).await;
    assert_eq!(stage.gateway.secret_names(), ["alice-db.a", "alice-db.b"]);
}
