//! What happens to good pushes.

use http::StatusCode;
use sdk::deploy::OrderImage;
use sdk::garbage::{GarbageRequest, Scope};
use sdk::gateway::FunctionStatus;
use sdk::labels;
use sdk::status::State;

use crate::lab::{Lab, STACK};

#[tokio::test]
async fn a_first_push_is_built() {
    let mut lab = Lab::new().await;
    let (status, answer) = lab.push().await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert!(answer.starts_with("Deployed 1 function in ") && answer.ends_with(" s (1 built)"), "{answer}");
    let orders = lab.orders();
    let [order] = orders.as_slice() else { panic!("one order") };
    assert_eq!(order.order.settings.env_process.as_deref(), Some("run py"));
    let OrderImage::Build(image) = &order.order.image else { panic!("a build") };
    assert_eq!(*image, format!("alice/app-hello:main-{}", &order.order.build_digest[..12]));
    assert_eq!(
        order.paths,
        [
            "com.openfaas.docker.config",
            "context/",
            "context/function/",
            "context/Dockerfile",
            "context/function/handler.py",
            "context/template.yml"
        ]
    );
    assert_eq!(order.files["context/function/handler.py"], "print('hello')\n");
    let garbage: GarbageRequest = lab.gateway.messages("garbage-collect")[0].read();
    assert_eq!(garbage.repo, Scope::Repo("app".parse().unwrap()));
    assert_eq!((garbage.keep.len(), garbage.owner_id), (1, 7));
    assert_eq!(garbage.repo_id, Some(11));
    lab.nothing_left();
}

#[tokio::test]
async fn what_is_deployed_is_not_built_again() {
    let mut lab = Lab::new().await;
    lab.push().await;
    lab.deploy_orders();
    lab.write("README.md", "a change that concerns no function");
    let (_, answer) = lab.push().await;
    assert!(answer.ends_with("(1 unchanged)"), "{answer}");
    assert_eq!(lab.orders().len(), 1);
    assert_eq!(
        (lab.status("hello").unwrap().state, lab.status("hello").unwrap().title.as_str()),
        (State::Success, "unchanged")
    );
    assert_eq!(lab.gateway.messages("garbage-collect").len(), 2);
}

#[tokio::test]
async fn a_changed_setting_redeploys_the_image_that_is_there() {
    let mut lab = Lab::new().await;
    lab.push().await;
    lab.deploy_orders();
    lab.write("stack.yml", &format!("{STACK}    environment: {{greeting: 1.50}}\n"));
    let (_, answer) = lab.push().await;
    assert!(answer.ends_with("(1 redeployed)"), "{answer}");
    let orders = lab.orders();
    let OrderImage::Existing(image) = &orders[1].order.image else { panic!("an image that is there") };
    assert!(image.contains("@sha256:"));
    assert_eq!(orders[1].order.settings.environment["greeting"], "1.50");
    assert!(orders[1].paths.is_empty());
    assert_eq!(orders[0].order.build_digest, orders[1].order.build_digest);
    assert_ne!(orders[0].order.deploy_digest, orders[1].order.deploy_digest);
}

#[tokio::test]
async fn only_the_changed_function_is_built() {
    let mut lab = Lab::new().await;
    let mut stack = STACK.to_owned();
    for name in ["one", "two"] {
        stack.push_str(&format!("  {name}:\n    lang: sh\n    handler: {name}\n"));
        lab.write(&format!("{name}/run.sh"), "x");
    }
    lab.write("stack.yml", &stack);
    lab.push().await;
    lab.deploy_orders();
    lab.write("two/run.sh", "changed");
    let (_, answer) = lab.push().await;
    assert!(answer.ends_with("(1 built, 2 unchanged)"), "{answer}");
    assert_eq!(lab.orders()[3].order.function.as_str(), "two");
    assert!(lab.statuses().iter().any(|status| status.title == "3 functions: 1 to build, 2 unchanged"));
}

#[tokio::test]
async fn a_repository_that_moved_keeps_its_images() {
    let mut lab = Lab::new().await;
    lab.push().await;
    let mut moved: FunctionStatus = crate::lab::deployed(&lab.orders()[0].order);
    moved.labels.insert(labels::GIT_REPO.to_owned(), "old-name".to_owned());
    lab.gateway.put_function(moved);
    let (_, answer) = lab.push().await;
    assert!(answer.ends_with("(1 redeployed)"), "labels must be brought up to date: {answer}");
}

#[tokio::test]
async fn a_failed_function_does_not_stop_the_others_and_nothing_is_collected() {
    let mut lab = Lab::new().await;
    lab.write("stack.yml", &format!("{STACK}  two:\n    lang: py\n    handler: hello\n"));
    lab.set("build_parallelism", "1");
    lab.gateway.refuse_next(
        "POST /function/buildshiprun",
        StatusCode::UNPROCESSABLE_ENTITY,
        "the build failed at step 3\nmore",
    );
    let (status, answer) = lab.push().await;
    assert_eq!(
        (status, answer.as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, "deploy failed: hello: the build failed at step 3")
    );
    assert_eq!(lab.orders().len(), 1, "the fake keeps no refused message: this is the sibling");
    assert!(lab.gateway.messages("garbage-collect").is_empty());
    let last = lab.status("stack-deploy").unwrap();
    assert_eq!((last.state, last.title.as_str()), (State::Failure, "deploy failed: hello: the build failed at step 3"));
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_says_so() {
    for (route, status) in [
        ("POST /function/buildshiprun", StatusCode::SERVICE_UNAVAILABLE),
        ("POST /function/garbage-collect", StatusCode::BAD_GATEWAY),
        ("GET /system/functions", StatusCode::INTERNAL_SERVER_ERROR),
    ] {
        let mut lab = Lab::new().await;
        lab.gateway.refuse_next(route, status, "down");
        let (status, answer) = lab.push().await;
        assert_eq!(status, StatusCode::BAD_GATEWAY, "{route}: {answer}");
        let last = lab.status("stack-deploy").unwrap();
        assert!(last.state == State::Failure && last.title.ends_with("; it will be tried again"), "{}", last.title);
        lab.nothing_left();
        let event = lab.commit();
        assert_eq!(lab.run(&event).await.0, StatusCode::OK, "the second delivery succeeds");
        assert_eq!(lab.status("stack-deploy").unwrap().state, State::Success);
    }
}

#[tokio::test]
async fn an_emptied_stack_has_everything_collected() {
    let mut lab = Lab::new().await;
    lab.write("stack.yaml", "provider: {name: openfaas}\nfunctions: {}\n");
    std::fs::remove_file(lab.repository("alice/app.git").join("stack.yml")).unwrap();
    let (_, answer) = lab.push().await;
    assert!(answer.starts_with("Deployed 0 functions"), "{answer}");
    let garbage: GarbageRequest = lab.gateway.messages("garbage-collect")[0].read();
    assert!(garbage.keep.is_empty());
}

#[tokio::test]
async fn environment_files_win_in_their_order() {
    let mut lab = Lab::new().await;
    lab.write("stack.yml", &format!("{STACK}    environment: {{a: inline, b: inline, c: inline}}\n    environment_file: [one.yml, conf/two.yml]\n"));
    lab.write("one.yml", "environment:\n  b: one\n  c: one\n");
    lab.write("conf/two.yml", "environment:\n  c: 0644\n");
    lab.push().await;
    let environment = lab.orders()[0].order.settings.environment.clone();
    assert_eq!(
        (environment["a"].as_str(), environment["b"].as_str(), environment["c"].as_str()),
        ("inline", "one", "0644")
    );
}

#[tokio::test]
async fn a_prebuilt_image_is_deployed_only_where_allowed() {
    let mut lab = Lab::new().await;
    lab.write(
        "stack.yml",
        "provider: {name: openfaas}\nfunctions:\n  pre: {skip_build: true, image: 'ghcr.io/x/y:1'}\n",
    );
    assert!(lab.refused().await.starts_with("pre: 'skip_build' is not allowed on this platform"));
    lab.set("allow_images", "true");
    lab.push().await;
    assert_eq!(lab.orders()[0].order.image, OrderImage::Existing("ghcr.io/x/y:1".to_owned()));
    lab.deploy_orders();
    assert!(lab.push().await.1.ends_with("(1 unchanged)"));
}

#[tokio::test]
async fn s22_unsigned_and_wrongly_signed_messages_are_refused() {
    use tower::ServiceExt;
    let mut lab = Lab::new().await;
    let event = lab.commit();
    let body = serde_json::to_vec(&event).unwrap();
    let unsigned = http::Request::post("/").body(axum::body::Body::from(body)).unwrap();
    assert_eq!(lab.router().oneshot(unsigned).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let other = lab.gateway.signed("buildshiprun", &event, "c");
    assert_eq!(
        lab.router().oneshot(other).await.unwrap().status(),
        StatusCode::UNAUTHORIZED,
        "signed for another function"
    );
    let garbage = lab.gateway.signed("git-tar", &"no event", "c");
    assert_eq!(lab.router().oneshot(garbage).await.unwrap().status(), StatusCode::BAD_REQUEST);
    assert_eq!(lab.git.requests(), 0);
}
