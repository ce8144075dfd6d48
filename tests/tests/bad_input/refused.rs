//! Repositories that are refused before anything is built.

use crate::live::{GOOD, Live};

const HEAD: &str = "version: 1.0\nprovider:\n  name: openfaas\nfunctions:\n";

/// A stack of one function with these lines.
fn stack(name: &str, lang: &str, handler: &str) -> String {
    format!("{HEAD}  {name}:\n    lang: {lang}\n    handler: {handler}\n    image: x:latest\n")
}

#[test]
fn stack_files_that_are_wrong() {
    let live = Live::new();
    let repository = &live.repository;
    repository.remove("stack.yml");
    live.refused("there is no stack.yml at the root of the repository");

    repository.write("stack.yaml", HEAD);
    live.refused("there are a stack.yml and a stack.yaml: remove one of them");

    repository
        .write("stack.yml", "provider:\n  name: openfaas\nfunctions:\n  a:\n   lang: dockerfile\n     handler: x\n");
    live.refused("stack.yml: line 6, column ");

    repository.write("stack.yml", stack("a", "cobol", "./a"));
    live.refused("a: there is no template 'cobol'");

    repository.write("stack.yml", stack("a", "dockerfile", "./gone"));
    live.refused("a: handler: 'gone' is not in the repository");

    let many: String = (0..10_000).map(|n| format!("  f{n}: {{lang: dockerfile, handler: ./a, image: x}}\n")).collect();
    repository.write("stack.yml", format!("{HEAD}{many}"));
    live.refused("10000 functions");

    repository.write("stack.yml", format!("{}# {}\n", stack("a", "dockerfile", "./a"), "x".repeat(1 << 20)));
    live.refused("'stack.yml' has ");
}

#[test]
fn paths_that_leave_the_repository() {
    let live = Live::new();
    let repository = &live.repository;
    for handler in ["../../../var/openfaas/secrets", "/etc", "./a/../../.."] {
        repository.write("stack.yml", stack("a", "dockerfile", handler));
        live.refused("a");
    }
    repository.link("/etc/passwd", "a/passwd");
    live.refused("the link 'a/passwd' points to an absolute path");
    repository.link("../../../../../etc/shadow", "a/shadow");
    live.refused("leaves the repository");
    repository.remove("stack.yml");
    repository.link("/etc/passwd", "stack.yml");
    let pushed = live.refused("the link 'stack.yml' points to an absolute path");
    assert!(!pushed.output.contains("root:"), "{pushed}");
}

#[test]
fn the_repositorys_root_as_handler_has_no_git_folder() {
    let live = Live::new();
    let (platform, repository) = (&live.platform, &live.repository);
    let owner = repository.owner();
    repository.write("stack.yml", stack("a", "dockerfile", "./"));
    for file in ["Dockerfile", "serve.pl", "answer"] {
        repository.write(file, std::fs::read(repository.folder().join("a").join(file)).unwrap());
    }
    let pushed = repository.commit_and_push(platform);
    assert!(pushed.last().starts_with("Deployed 1 function"), "{pushed}");
    assert_eq!(platform.get(owner, "/a").text, GOOD);
    let files = platform.get(owner, "/a/files").text;
    assert!(files.contains("/srv/stack.yml\n") && files.contains("/srv/a/serve.pl\n"), "{files}");
    assert!(!files.contains("/.git"), "{files}");
}

#[test]
fn function_names_that_are_none() {
    let live = Live::new();
    for name in ["../../victim", "Hello", "a_b", "-a", "\"\"", "a.b"] {
        live.repository.write("stack.yml", stack(name, "dockerfile", "./a"));
        live.refused("is not a function name");
    }
    live.repository.write("stack.yml", stack(&"f".repeat(51), "dockerfile", "./a"));
    live.refused("is not short enough: the owner's login, a hyphen and the function's name");
}
