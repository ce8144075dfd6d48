//! Bad input: one clear sentence, a failed status, an audit line, nothing left and nothing deployed.

use crate::lab::{Lab, STACK, git};
use sdk::gateway::FunctionStatus;

#[tokio::test]
async fn no_stack_file() {
    let mut lab = Lab::new().await;
    std::fs::remove_file(lab.repository("alice/app.git").join("stack.yml")).unwrap();
    assert_eq!(
        lab.refused().await,
        "there is no stack.yml at the root of the repository: add one (faas-cli new writes it)"
    );
}

#[tokio::test]
async fn two_stack_files() {
    let mut lab = Lab::new().await;
    lab.write("stack.yaml", STACK);
    assert_eq!(lab.refused().await, "there are a stack.yml and a stack.yaml: remove one of them");
}

#[tokio::test]
async fn invalid_yaml_says_line_and_column() {
    let mut lab = Lab::new().await;
    lab.write("stack.yml", "provider:\n  name: openfaas\nfunctions:\n  hello:\n   lang: py\n     handler: x\n");
    let sentence = lab.refused().await;
    assert!(sentence.starts_with("stack.yml: line 6, column "), "{sentence}");
    lab.write("stack.yml", "provider: {name: openfaas}\nfunctions:\n  a: {lang: ${X\n");
    assert!(lab.refused().await.starts_with("stack.yml: line 3, column 13: this '${' has no closing '}'"));
}

#[tokio::test]
async fn unknown_template() {
    let mut lab = Lab::new().await;
    lab.write("stack.yml", &STACK.replace("lang: py", "lang: cobol"));
    assert_eq!(lab.refused().await, "hello: there is no template 'cobol': available are dockerfile, py, sh");
}

#[tokio::test]
async fn s15_handler_outside_the_repository() {
    let mut lab = Lab::new().await;
    lab.write("stack.yml", &STACK.replace("./hello", "../../../var/openfaas/secrets"));
    let sentence = lab.refused().await;
    assert!(
        sentence.contains(
            "line 5, column 3: function 'hello': handler: '../../../var/openfaas/secrets' leaves the repository"
        ),
        "{sentence}"
    );
}

#[tokio::test]
async fn s16_links_out_of_the_repository() {
    let mut lab = Lab::new().await;
    lab.link("/etc/passwd", "hello/passwd");
    assert_eq!(
        lab.refused().await,
        "hello: the link 'hello/passwd' points to an absolute path: links must stay inside the repository"
    );
    std::fs::remove_file(lab.repository("alice/app.git").join("hello/passwd")).unwrap();
    lab.link("../../../../work", "hello/work");
    assert!(lab.refused().await.contains("leaves the repository"));
}

#[tokio::test]
async fn s16_a_stack_file_that_is_a_link() {
    let mut lab = Lab::new().await;
    std::fs::remove_file(lab.repository("alice/app.git").join("stack.yml")).unwrap();
    lab.link("/etc/passwd", "stack.yml");
    let sentence = lab.refused().await;
    assert!(sentence.starts_with("the link 'stack.yml' points to an absolute path"), "{sentence}");
    assert!(!sentence.contains("root:"));
}

#[tokio::test]
async fn s18_function_names() {
    let mut lab = Lab::new().await;
    for name in ["../../victim", "Hello", "a_b"] {
        lab.write("stack.yml", &STACK.replace("  hello:", &format!("  {name}:")));
        assert!(lab.refused().await.contains("RFC 1123"), "{name}");
    }
    lab.write("stack.yml", &STACK.replace("  hello:", &format!("  {}:", "f".repeat(60))));
    assert!(lab.refused().await.contains("63 characters together"));
}

#[tokio::test]
async fn s30_a_name_held_by_someone_else() {
    let mut lab = Lab::new().await;
    lab.gateway.put_function(FunctionStatus { name: "alice-hello".to_owned(), ..FunctionStatus::default() });
    assert_eq!(lab.refused().await, "hello: the name 'alice-hello' is held by someone else: rename the function");
}

#[tokio::test]
async fn s31_a_name_of_the_platform() {
    let mut lab = Lab::new().await;
    lab.write("stack.yml", &STACK.replace("  hello:", "  push:"));
    let mut event = lab.commit();
    event.owner = "github".parse().unwrap();
    std::os::unix::fs::symlink(lab.repository("alice"), lab.repository("github")).unwrap();
    assert_eq!(
        lab.refused_event(&event).await,
        "push: the name 'github-push' belongs to the platform: rename the function"
    );
}

#[tokio::test]
async fn dockerfile_where_not_allowed() {
    let mut lab = Lab::new().await;
    lab.write("stack.yml", &STACK.replace("lang: py", "lang: Dockerfile"));
    assert!(lab.refused().await.starts_with("hello: 'lang: dockerfile' is not allowed on this platform"));
}

#[tokio::test]
async fn ten_thousand_functions() {
    let mut lab = Lab::new().await;
    let many: String = (0..10_000).map(|n| format!("  f{n}: {{lang: py, handler: hello}}\n")).collect();
    lab.write("stack.yml", &format!("provider: {{name: openfaas}}\nfunctions:\n{many}"));
    assert!(lab.refused().await.starts_with("stack.yml: the stack has 10000 functions and may have 200"));
}

#[tokio::test]
async fn a_stack_file_of_megabytes() {
    let mut lab = Lab::new().await;
    lab.write("stack.yml", &format!("{STACK}# {}\n", "x".repeat(3 << 20)));
    assert_eq!(lab.refused().await, "'stack.yml' has 3 MiB and may have 512 KiB");
}

#[tokio::test]
async fn unknown_commit() {
    let mut lab = Lab::new().await;
    lab.commit();
    let event = lab.event(&"ab".repeat(20));
    assert_eq!(lab.refused_event(&event).await, "the commit abababa is not in alice/app");
}

#[tokio::test]
async fn s20_a_commit_of_another_length() {
    let mut lab = Lab::new().await;
    lab.commit();
    let event = lab.event(&"ab".repeat(32));
    assert!(lab.refused_event(&event).await.contains("SHA-256 ids"));
}

#[tokio::test]
async fn an_unknown_host() {
    let mut lab = Lab::new().await;
    let mut event = lab.commit();
    event.host = "evil.example".to_owned();
    assert_eq!(lab.refused_event(&event).await, "the git host evil.example is not one of this platform's (git_hosts)");
    assert_eq!(lab.git.requests(), 0);
}

#[tokio::test]
async fn a_repository_that_is_not_there() {
    let mut lab = Lab::new().await;
    let mut event = lab.commit();
    event.repo = "other".parse().unwrap();
    assert_eq!(lab.refused_event(&event).await, "alice/other: the git host answered 404 Not Found");
}

#[tokio::test]
async fn s26_a_repository_that_is_too_big() {
    let mut lab = Lab::new().await;
    lab.set("max_fetch_bytes", (1 << 20).to_string());
    // A cheap generator: git must not be able to compress it below the bound.
    let mut state = 1u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    })
    .take(4 << 20)
    .collect();
    std::fs::write(lab.repository("alice/app.git").join("big"), noise).unwrap();
    assert_eq!(
        lab.refused().await,
        "alice/app: the repository is too big: the host sends more than is allowed (max_fetch_bytes)"
    );
}

#[tokio::test]
async fn s26_a_small_pack_that_unpacks_to_much() {
    let mut lab = Lab::new().await;
    lab.set("max_unpacked_bytes", (32u64 << 20).to_string());
    std::fs::File::create(lab.repository("alice/app.git").join("zeros")).unwrap().set_len(64 << 20).unwrap();
    assert_eq!(lab.refused().await, "alice/app: the repository is too big: its files have more than 32 MiB");
}

#[tokio::test]
async fn s26_too_many_objects() {
    let mut lab = Lab::new().await;
    lab.set("max_objects", "4");
    for number in 0..10 {
        lab.write(&format!("f{number}"), &number.to_string());
    }
    assert!(lab.refused().await.contains("more than 4 files and folders"));
}

#[tokio::test]
async fn a_function_that_is_too_big() {
    let mut lab = Lab::new().await;
    lab.set("max_context_bytes", "1000");
    lab.write("hello/data", &"x".repeat(2000));
    assert_eq!(lab.refused().await, "hello: 'hello/data': the function has more than 1000 bytes in its files");
}

#[tokio::test]
async fn a_submodule_in_a_handler() {
    let mut lab = Lab::new().await;
    let repository = lab.repository("alice/app.git");
    lab.commit();
    git(&repository, &["update-index", "--add", "--cacheinfo", &format!("160000,{},hello/sub", "1".repeat(40))]);
    git(&repository, &["commit", "--quiet", "-m", "x"]);
    let event = lab.event(git(&repository, &["rev-parse", "HEAD"]).trim());
    assert!(lab.refused_event(&event).await.starts_with("hello: 'hello/sub' is a submodule"));
}

#[tokio::test]
async fn missing_environment_file() {
    let mut lab = Lab::new().await;
    lab.write("stack.yml", &format!("{STACK}    environment_file: [nope.yml]\n"));
    assert_eq!(lab.refused().await, "hello: environment_file: 'nope.yml' is not in the repository");
}

#[tokio::test]
async fn a_broken_function_refuses_the_push_before_anything_is_built() {
    let mut lab = Lab::new().await;
    lab.write("stack.yml", &format!("{STACK}  gone:\n    lang: py\n    handler: gone\n"));
    let sentence = lab.refused().await;
    assert_eq!(
        sentence,
        "gone: handler: 'gone' is not in the repository: check the spelling and whether it is committed"
    );
}
