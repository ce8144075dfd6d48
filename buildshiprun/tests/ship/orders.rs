//! What is believed, and what is refused before anything is built.

use http::{Request, StatusCode};
use sdk::gateway::Resources;
use sdk::labels;

use crate::setup::{append, context, deployed, order, parcel, setup, setup_with, signed};

#[tokio::test]
async fn nothing_is_read_before_the_signature_holds() {
    let setup = setup().await;
    let unsigned = Request::post("/").body(parcel(&order()).into()).unwrap();
    assert_eq!(setup.send(unsigned).await.0, StatusCode::UNAUTHORIZED);
    let not_a_tar = Request::post("/").body("no tar at all".into()).unwrap();
    assert_eq!(setup.send(not_a_tar).await.0, StatusCode::UNAUTHORIZED);
    let (head, _) = signed(parcel(&order())).into_parts();
    let mut changed = parcel(&order());
    let last = changed.len() - 2000;
    changed[last] ^= 1;
    assert_eq!(setup.send(Request::from_parts(head, changed.into())).await.0, StatusCode::UNAUTHORIZED);
    assert!(setup.builder.archives().is_empty());
}

#[tokio::test]
async fn tars_that_do_not_begin_with_an_order_are_refused() {
    let setup = setup().await;
    let mut huge = tar::Builder::new(Vec::new());
    append(&mut huge, sdk::deploy::ORDER_ENTRY, &vec![b' '; 1024 * 1024 + 1]);
    let mut empty_order = tar::Builder::new(Vec::new());
    append(&mut empty_order, sdk::deploy::ORDER_ENTRY, b"{}");
    let mut link = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    link.append_link(&mut header, sdk::deploy::ORDER_ENTRY, "/etc/passwd").unwrap();
    let cut = parcel(&order())[..700].to_vec();
    for body in [
        Vec::new(),
        b"no tar".to_vec(),
        vec![0; 4096],
        vec![0xff; 4096],
        context(),
        cut,
        huge.into_inner().unwrap(),
        empty_order.into_inner().unwrap(),
        link.into_inner().unwrap(),
    ] {
        let (status, text) = setup.send(signed(body)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{text}");
        assert!(text.starts_with("the order is not understood: "), "{text}");
    }
    assert!(setup.builder.archives().is_empty());
}

#[tokio::test]
async fn contexts_over_the_limit_are_refused_while_they_come() {
    let setup = setup_with(&[("max_context_mb", "1")]).await;
    let mut large = parcel(&order());
    large.resize(1024 * 1024 + 1, 0);
    let (status, text) = setup.send(signed(large)).await;
    assert_eq!((status, text.as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "the build context is over 1 MiB"));
}

#[tokio::test]
async fn an_order_that_does_not_arrive_in_time_is_given_up() {
    let setup = setup_with(&[("receive_timeout", "20ms")]).await;
    let endless = futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>();
    let request = Request::post("/").body(axum::body::Body::from_stream(endless)).unwrap();
    assert_eq!(setup.send(request).await.0, StatusCode::REQUEST_TIMEOUT);
}

#[tokio::test]
async fn a_full_disk_is_said_and_worth_another_try() {
    let setup = setup_with(&[("spool_directory", "/nowhere")]).await;
    let (status, text) = setup.send(signed(parcel(&order()))).await;
    assert_eq!(
        (status, text.as_str()),
        (StatusCode::INSUFFICIENT_STORAGE, "the build context could not be put on disk")
    );
}

#[tokio::test]
async fn a_name_held_by_someone_else_is_a_conflict_and_what_was_live_stays() {
    for (holder, sentence) in [
        (deployed("8", "hello"), "the name alice-greet is held by someone else: rename the function"),
        (deployed("0", "hello"), "the name alice-greet is held by someone else: rename the function"),
        (
            deployed("7", "other"),
            "the name alice-greet is held by repository other: rename the function or remove it there",
        ),
    ] {
        let setup = setup().await;
        setup.gateway.put_function(holder.clone());
        assert_eq!(setup.ship(&order()).await, (StatusCode::CONFLICT, sentence.to_owned()));
        assert_eq!(setup.gateway.function("alice-greet"), Some(holder));
        assert_eq!(setup.audits(), [format!("greet was not deployed: {sentence}")]);
        assert!(setup.builder.archives().is_empty());
    }
}

#[tokio::test]
async fn a_renamed_repository_keeps_its_functions_and_one_of_the_same_name_does_not_get_them() {
    let numbered = |repo: &str, id: &str| {
        let mut function = deployed("7", repo);
        function.labels.insert(labels::GIT_REPO_ID.to_owned(), id.to_owned());
        function
    };
    let setup = setup().await;
    setup.gateway.put_function(numbered("former-name", "9"));
    assert_eq!(setup.ship(&order()).await.0, StatusCode::OK);
    let labels = setup.gateway.function("alice-greet").unwrap().labels;
    assert_eq!((labels[labels::GIT_REPO].as_str(), labels[labels::GIT_REPO_ID].as_str()), ("hello", "9"));
    setup.gateway.put_function(numbered("hello", "10"));
    assert_eq!(setup.ship(&order()).await.0, StatusCode::CONFLICT);
}

#[tokio::test]
async fn functions_without_labels_and_of_the_platform_are_never_replaced() {
    let setup = setup().await;
    setup.gateway.put_function(sdk::gateway::FunctionStatus { labels: [].into(), ..deployed("7", "hello") });
    assert_eq!(setup.ship(&order()).await.0, StatusCode::CONFLICT);
    let mut system = deployed("7", "hello");
    system.labels.insert("role".to_owned(), "openfaas-system".to_owned());
    setup.gateway.put_function(system);
    assert_eq!(setup.ship(&order()).await.0, StatusCode::CONFLICT);
    let mut git_tar = order();
    git_tar.event.owner = "git".parse().unwrap();
    git_tar.function = "tar".parse().unwrap();
    let (status, text) = setup.ship(&git_tar).await;
    assert_eq!(
        (status, text.as_str()),
        (StatusCode::CONFLICT, "the name git-tar belongs to the platform: rename the function")
    );
}

#[tokio::test]
async fn wishes_beyond_the_operators_bounds_are_refused_before_the_build() {
    let setup = setup().await;
    let mut greedy = order();
    greedy.settings.limits = Some(Resources { memory: "64Gi".to_owned(), cpu: String::new() });
    let sentence = "limits.memory: 65536Mi is more than the 512Mi that a function may have here";
    assert_eq!(setup.ship(&greedy).await, (StatusCode::UNPROCESSABLE_ENTITY, sentence.to_owned()));
    assert!(setup.builder.archives().is_empty());
}

#[tokio::test]
async fn names_that_are_too_long_together_and_owners_without_a_number_are_refused() {
    let setup = setup().await;
    let mut long = order();
    long.function = "x".repeat(60).parse().unwrap();
    let (status, text) = setup.ship(&long).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(text.contains("63 characters together"), "{text}");
    let mut nobody = order();
    nobody.event.owner_id = 0;
    assert_eq!(setup.ship(&nobody).await.0, StatusCode::BAD_REQUEST);
}

#[test]
fn every_problem_of_the_configuration_is_named() {
    let env = sdk::Env::from_map([("ship_parallelism", "0")], [("x", "y")]);
    let error = buildshiprun::router(&env).unwrap_err();
    let names: Vec<_> = error.problems().iter().map(|problem| problem.name.as_str()).collect();
    let expected = [
        "gateway_url",
        "payload-secret",
        "gateway_url",
        "basic-auth-user",
        "basic-auth-password",
        "builder_url",
        "builder-payload-secret",
        "ship_parallelism",
        "customers_path",
    ];
    assert_eq!(names, expected);
}
