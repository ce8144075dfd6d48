//! What the author of a push is told: a table of the functions, the lines that are at fault, and an end to everything.

use http::StatusCode;
use sdk::deploy::NotShipped;
use sdk::status::{Annotation, FunctionState, State, Status};

use crate::gate::Gate;
use crate::lab::{Lab, STACK};

const ROUTE: &str = "POST /function/buildshiprun";

/// Two functions, one after the other.
async fn two() -> Lab {
    let mut lab = Lab::new().await;
    lab.write("stack.yml", &format!("{STACK}  two:\n    lang: py\n    handler: hello\n"));
    lab.set("build_parallelism", "1");
    lab.set("gateway_pretty_url", "http://user.localhost:8000/function");
    lab
}

/// A repository whose only function brings its Dockerfile.
async fn own_dockerfile() -> Lab {
    let mut lab = Lab::new().await;
    lab.set("enable_dockerfile_lang", "true");
    lab.write(
        "stack.yml",
        "provider: {name: openfaas}\nfunctions:\n  df:\n    lang: dockerfile\n    handler: ./fns/df\n",
    );
    lab.write("fns/df/Dockerfile", "FROM scratch\nRUN false\n");
    lab
}

fn fails(lab: &Lab, status: StatusCode, line: Option<u32>) {
    let answer = NotShipped {
        error: "the build failed: [2/2] RUN false failed with exit code 1".to_owned(),
        log: "[2/2] RUN false\n  no luck".to_owned(),
        dockerfile_line: line,
    };
    lab.gateway.refuse_next(ROUTE, status, &serde_json::to_string(&answer).unwrap());
}

fn table(status: &Status) -> Vec<(&str, State, &str)> {
    status.functions.iter().map(|f| (f.name.as_str(), f.state, f.title.as_str())).collect()
}

fn places(annotations: &[Annotation]) -> Vec<(&str, u32)> {
    annotations.iter().map(|annotation| (annotation.path.as_str(), annotation.line)).collect()
}

#[tokio::test]
async fn the_stacks_status_tells_of_every_function_at_every_stage() {
    let mut lab = two().await;
    let gate = Gate::start(&mut lab).await;
    let event = lab.commit();
    let (router, gateway) = (lab.router(), lab.gateway.clone());
    let running = tokio::spawn(async move { crate::lab::run(router, &gateway, &event).await });
    gate.one_arrives().await;
    let told = |context: &'static str| {
        move |messages: &[sdk::fake_gateway::Message]| messages.iter().any(|m| m.read::<Status>().context == context)
    };
    lab.gateway.messages_when("github-status", told("stack-deploy")).await;
    lab.gateway.messages_when("github-status", told("hello")).await;
    let first = lab.statuses().into_iter().find(|status| status.context == "stack-deploy").unwrap();
    assert_eq!((first.state, first.title.as_str()), (State::InProgress, "2 functions: 2 to build"));
    assert_eq!(table(&first), [("hello", State::Queued, "waits"), ("two", State::Queued, "waits")]);
    let hello = lab.status("hello").unwrap();
    assert_eq!((hello.state, hello.title.as_str()), (State::InProgress, "building"));
    assert!(lab.status("two").is_none(), "only what has begun is announced");
    gate.leave.add_permits(10);
    assert_eq!(running.await.unwrap().0, StatusCode::OK);

    let last = lab.status("stack-deploy").unwrap();
    assert_eq!(last.state, State::Success);
    let (one, two) = ("http://alice.localhost:8000/hello", "http://alice.localhost:8000/two");
    let live = [format!("live at {one}"), format!("live at {two}")];
    assert_eq!(table(&last), [("hello", State::Success, live[0].as_str()), ("two", State::Success, live[1].as_str())]);
    assert!(last.functions.iter().all(|function| function.millis.is_some()), "{:?}", last.functions);
    assert_eq!(last.functions[1].url.as_deref(), Some(two));
    let hello = lab.status("hello").unwrap();
    assert_eq!((hello.state, hello.title, hello.url.as_deref()), (State::Success, live[0].clone(), Some(one)));
    assert_eq!(lab.statuses().last().unwrap().context, "stack-deploy", "the stack has the last word");
}

#[tokio::test]
async fn a_push_waits_for_no_status() {
    let mut lab = two().await;
    let gate = Gate::before(&mut lab, "github-status").await;
    let event = lab.commit();
    let (router, gateway) = (lab.router(), lab.gateway.clone());
    let running = tokio::spawn(async move { crate::lab::run(router, &gateway, &event).await });
    gate.one_arrives().await;
    lab.gateway.messages_when("garbage-collect", |messages| !messages.is_empty()).await;
    assert_eq!(lab.orders().len(), 2, "everything is done");
    assert!(lab.statuses().is_empty(), "and no status was answered yet");
    gate.leave.add_permits(100);
    assert_eq!(running.await.unwrap().0, StatusCode::OK);
    let last = lab.statuses().pop().unwrap();
    assert_eq!((last.context.as_str(), last.state), ("stack-deploy", State::Success));
    assert_eq!(lab.status("two").unwrap().state, State::Success);
}

#[tokio::test]
async fn what_is_unchanged_has_an_end_and_an_address() {
    let mut lab = two().await;
    lab.push().await;
    lab.deploy_orders();
    lab.push().await;
    let last = lab.status("stack-deploy").unwrap();
    let url = Some("http://alice.localhost:8000/two".to_owned());
    let name = "two".parse().unwrap();
    let unchanged = FunctionState { name, state: State::Success, title: "unchanged".to_owned(), millis: None, url };
    assert_eq!(last.functions[1], unchanged);
    assert_eq!(lab.status("two").unwrap().state, State::Success);
}

#[tokio::test]
async fn a_failing_line_of_an_own_dockerfile_is_pointed_out_with_the_logs_end() {
    let mut lab = own_dockerfile().await;
    fails(&lab, StatusCode::UNPROCESSABLE_ENTITY, Some(2));
    let (status, answer) = lab.push().await;
    let reason = "the build failed: [2/2] RUN false failed with exit code 1";
    assert_eq!((status, answer), (StatusCode::UNPROCESSABLE_ENTITY, format!("deploy failed: df: {reason}")));
    let function = lab.status("df").unwrap();
    assert_eq!((function.state, function.title.as_str()), (State::Failure, reason));
    assert_eq!(function.log, "[2/2] RUN false\n  no luck");
    let expected = Annotation { path: "fns/df/Dockerfile".to_owned(), line: 2, message: reason.to_owned() };
    assert_eq!(function.annotations, std::slice::from_ref(&expected));
    let stack = lab.status("stack-deploy").unwrap();
    assert_eq!((stack.state, stack.annotations.as_slice()), (State::Failure, [expected].as_slice()));
    assert_eq!(table(&stack), [("df", State::Failure, reason)]);
}

#[tokio::test]
async fn a_dockerfile_behind_a_link_is_pointed_out_where_it_is() {
    let mut lab = own_dockerfile().await;
    lab.write("shared/Dockerfile", "FROM scratch\nRUN false\n");
    std::fs::remove_file(lab.repository("alice/app.git").join("fns/df/Dockerfile")).unwrap();
    lab.link("../../shared/Dockerfile", "fns/df/Dockerfile");
    fails(&lab, StatusCode::UNPROCESSABLE_ENTITY, Some(2));
    lab.push().await;
    assert_eq!(places(&lab.status("df").unwrap().annotations), [("shared/Dockerfile", 2)]);
}

#[tokio::test]
async fn a_repositorys_own_template_is_pointed_out_and_the_platforms_is_not_in_the_repository() {
    let mut lab = own_dockerfile().await;
    lab.write("stack.yml", &STACK.replace("lang: py", "lang: mine"));
    lab.write("template/mine/Dockerfile", "FROM scratch\nRUN false\n");
    fails(&lab, StatusCode::UNPROCESSABLE_ENTITY, Some(2));
    lab.push().await;
    assert_eq!(places(&lab.status("hello").unwrap().annotations), [("template/mine/Dockerfile", 2)]);

    lab.write("stack.yml", STACK);
    fails(&lab, StatusCode::UNPROCESSABLE_ENTITY, Some(2));
    lab.push().await;
    let annotations = lab.status("hello").unwrap().annotations;
    assert_eq!(places(&annotations), [("stack.yml", 5)]);
    assert!(annotations[0].message.ends_with(" (line 2 of its template's Dockerfile)"), "{}", annotations[0].message);
}

#[tokio::test]
async fn a_function_that_does_not_start_is_pointed_out_in_the_stack_file() {
    let mut lab = two().await;
    lab.gateway.refuse_next(
        ROUTE,
        StatusCode::UNPROCESSABLE_ENTITY,
        r#"{"error":"it was not ready","log":"Traceback"}"#,
    );
    lab.push().await;
    let hello = lab.status("hello").unwrap();
    assert_eq!((places(&hello.annotations), hello.log.as_str()), (vec![("stack.yml", 5)], "Traceback"));
    let stack = lab.status("stack-deploy").unwrap();
    assert_eq!(places(&stack.annotations), [("stack.yml", 5)]);
    assert_eq!((stack.functions[0].state, stack.functions[1].state), (State::Failure, State::Success));
}

#[tokio::test]
async fn what_may_pass_by_itself_is_no_lines_fault() {
    let mut lab = own_dockerfile().await;
    fails(&lab, StatusCode::BAD_GATEWAY, None);
    assert_eq!(lab.push().await.0, StatusCode::BAD_GATEWAY);
    let function = lab.status("df").unwrap();
    assert_eq!(function.state, State::Failure);
    assert!(function.title.ends_with("; it will be tried again") && function.annotations.is_empty());
    lab.gateway.refuse_next(ROUTE, StatusCode::SERVICE_UNAVAILABLE, "");
    assert_eq!(lab.push().await.0, StatusCode::BAD_GATEWAY);
    assert!(lab.status("df").unwrap().title.starts_with("buildshiprun answered 503"));
}

#[tokio::test]
async fn lines_of_the_stack_file_are_pointed_out() {
    let mut lab = Lab::new().await;
    for (stack, line) in [
        ("provider:\n  name: openfaas\nfunctions:\n  hello:\n   lang: py\n     handler: x\n".to_owned(), 6),
        ("provider: {name: openfaas}\nfunctions:\n  a: {lang: ${X\n".to_owned(), 3),
        (STACK.replace("./hello", "../../out"), 5),
        (STACK.replace("name: openfaas", "name: other"), 2),
        (STACK.replace("version: 1.0", "version: 7"), 1),
        (format!("{STACK}configuration:\n  copy: [/etc]\n"), 9),
        ("functions: {}\n".to_owned(), 1),
    ] {
        lab.write("stack.yml", &stack);
        let sentence = lab.refused().await;
        let last = lab.status("stack-deploy").unwrap();
        assert_eq!(places(&last.annotations), [("stack.yml", line)], "{stack}");
        assert_eq!(last.annotations[0].message, sentence);
        assert!(last.functions.is_empty());
    }
}

#[tokio::test]
async fn one_broken_function_is_pointed_out_and_the_others_are_not_tried() {
    let mut lab = two().await;
    for (what, sentence) in [
        ("handler: nowhere", "two: handler: 'nowhere' is not in the repository"),
        (
            "handler: hello\n    environment_file: [nope.yml]",
            "two: environment_file: 'nope.yml' is not in the repository",
        ),
    ] {
        lab.write("stack.yml", &format!("{STACK}  two:\n    lang: py\n    {what}\n"));
        assert!(lab.refused().await.starts_with(sentence));
        let stack = lab.status("stack-deploy").unwrap();
        assert_eq!(places(&stack.annotations), [("stack.yml", 9)]);
        assert_eq!(table(&stack)[0], ("hello", State::Neutral, "not tried"));
        assert_eq!((stack.functions[1].state, stack.functions[1].millis), (State::Failure, None));
        let culprit = lab.status("two").unwrap();
        assert_eq!((culprit.state, places(&culprit.annotations)), (State::Failure, vec![("stack.yml", 9)]));
        assert!(lab.status("hello").is_none());
    }
}

#[tokio::test]
async fn pointers_of_git_lfs_are_refused_by_their_names() {
    let mut lab = Lab::new().await;
    let pointer = |size: u32| {
        format!("version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {size}\n", "0a".repeat(32))
    };
    lab.write("hello/models/a.bin", &pointer(123_456));
    let sentence = "hello: 'hello/models/a.bin' is only a pointer of Git LFS (to 123456 bytes): what it stands for is not fetched. Commit the file itself, or download it in the Dockerfile";
    assert_eq!(lab.refused().await, sentence);
    lab.write("hello/models/b.bin", &pointer(7));
    lab.write("docs/c.bin", &pointer(7));
    assert!(lab.refused().await.contains("(to 123456 bytes), and so is 1 more file: "));
    let stack = lab.status("stack-deploy").unwrap();
    assert_eq!(places(&stack.annotations), [("hello/models/a.bin", 1), ("hello/models/b.bin", 1)]);
    assert_eq!(lab.status("hello").unwrap().annotations, stack.annotations);

    std::fs::remove_dir_all(lab.repository("alice/app.git").join("hello/models")).unwrap();
    assert_eq!(lab.push().await.0, StatusCode::OK, "what no function has is nobody's trouble");
    lab.write("stack.yml", &pointer(300));
    assert!(lab.push().await.1.starts_with("stack.yml is only a pointer of Git LFS"));
}
