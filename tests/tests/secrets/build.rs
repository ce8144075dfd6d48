//! A secret that only a build needs.

use end_to_end::{Repository, login, platform};

use crate::seal;

/// Its step prints the secret, and keeps it turned by thirteen letters.
const DOCKERFILE: &str = "FROM debian:bookworm-slim
COPY . /srv/
RUN --mount=type=secret,id=npm_token,required=true cat /run/secrets/npm_token && tr a-z n-za-m < /run/secrets/npm_token > /srv/answer
USER 12000
CMD [\"perl\", \"/srv/serve.pl\"]
";

#[test]
fn a_build_reads_its_secret_and_nobody_else_does() {
    let platform = platform!();
    let alice = login("alice");
    let app = Repository::new(&alice, "app");
    app.stack(&[("fetcher", "build_secrets: {npm_token: npm/token}")]);
    app.function("fetcher", "");
    app.write("fetcher/Dockerfile", DOCKERFILE);
    app.commit("Begin");
    let pushed = app.push(&platform);
    assert!(pushed.says("waits for the secret npm"), "{pushed}");

    let secrets = Repository::new(&alice, "secrets");
    seal(&platform, &secrets, "npm", &[("token", "abcdefghij"), ("other", "klmnop")]);
    assert!(secrets.commit_and_push(&platform).says("imported 1 secret (2 keys)"));
    platform.wait_for(&alice, "fetcher", "nopqrstuvw");
    platform.wait_for_end(&app, &app.head(), "success");
    assert_eq!(platform.get(&alice, "/fetcher/secret/token").text, "", "it is not mounted");

    app.write("fetcher/more", "a change");
    let pushed = app.commit_and_push(&platform);
    assert!(pushed.says("(1 built)") && !pushed.output.contains("abcdefghij"), "{pushed}");
    let kept = platform.data().join("logs").join(&alice).join("app").join(app.head()).join("fetcher/build.log.gz");
    let packed = std::fs::File::open(kept).unwrap();
    let log = std::io::read_to_string(flate2::read::MultiGzDecoder::new(packed)).unwrap();
    assert!(log.contains("***") && !log.contains("abcdefghij"), "{log}");
    assert!(!platform.get(&alice, "/fetcher/env").text.contains("abcdefghij"));
    assert!(!platform.said().contains("abcdefghij"));

    seal(&platform, &secrets, "npm", &[("token", "another-value"), ("other", "klmnop")]);
    assert!(secrets.commit_and_push(&platform).ok);
    assert!(app.commit_and_push(&platform).says("(1 unchanged)"));
}

#[test]
fn a_key_that_a_secret_does_not_have_fails_that_function_alone() {
    let platform = platform!();
    let alice = login("alice");
    let app = Repository::new(&alice, "app");
    app.stack(&[("fetcher", "build_secrets: {npm_token: npm/gone}"), ("plain", "")]);
    app.function("fetcher", "");
    app.function("plain", "plain");
    seal(&platform, &app, "npm", &[("token", "abcdefghij")]);
    let pushed = app.commit_and_push(&platform);
    assert!(pushed.says("the secret npm has no key gone"), "{pushed}");
    assert_eq!(platform.get(&alice, "/plain").text, "plain");
}
