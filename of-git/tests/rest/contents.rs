//! Files, branches and commits.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};
use serde_json::Value;

use crate::place::Place;

#[tokio::test]
async fn files_and_folders_of_any_commit_are_read() {
    let place = Place::new().await;
    std::fs::create_dir(place.work.path().join("a")).unwrap();
    std::os::unix::fs::symlink("../stack.yml", place.work.path().join("a/link")).unwrap();
    place.work.commit("a/über b", "two\n").await;
    place.work.commit("large", vec![b'x'; (1 << 20) + 1]).await;
    place.push("alice/hello", &["main", "main:feature/x"]).await;
    let get = async |path: &str| place.alice(Method::GET, &format!("/repos/alice/hello/contents{path}"), None).await;
    let file = get("/stack.yml").await.body;
    assert_eq!((&file["type"], &file["encoding"], &file["size"]), (&"file".into(), &"base64".into(), &4.into()));
    assert_eq!(STANDARD.decode(file["content"].as_str().unwrap().trim()).unwrap(), b"one\n");
    let names = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|entry| format!("{} {}", entry["type"], entry["path"])).collect()
    };
    assert_eq!(names(&get("").await.body), ["\"dir\" \"a\"", "\"file\" \"large\"", "\"file\" \"stack.yml\""]);
    assert_eq!(names(&get("/a?ref=feature/x").await.body), ["\"symlink\" \"a/link\"", "\"file\" \"a/über b\""]);
    assert_eq!(get("/a/%C3%BCber%20b").await.body["size"], 4);
    assert_eq!(get("/a/link").await.body["target"], "../stack.yml");
    let large = get("/large").await.body;
    assert_eq!((&large["encoding"], &large["content"]), (&"none".into(), &"".into()));
    assert_eq!(get(&format!("/a?ref={}", place.sha)).await.status, StatusCode::NOT_FOUND, "not yet at that commit");
    for missing in ["/nothing", "/../stack.yml", "/a%2F..%2Fstack.yml", "/stack.yml/x", "/.git", "/a%00"] {
        assert_eq!(get(missing).await.status, StatusCode::NOT_FOUND, "{missing}");
    }
    let no_ref = get("/stack.yml?ref=nothing").await;
    assert_eq!(no_ref.body["message"], "No commit found for the ref nothing");

    let url = format!("http://{}/api/v3/repos/alice/hello/contents/large", place.host.address);
    let request = sdk::http::client().get(url).bearer_auth(place.push_token("alice"));
    let raw = request.header("accept", "application/vnd.github.raw+json").send().await.unwrap();
    assert_eq!(raw.bytes().await.unwrap().len(), (1 << 20) + 1);
}

#[tokio::test]
async fn branches_and_commits_have_many_names() {
    let place = Place::new().await;
    place.push("alice/hello", &["main:feature/x"]).await;
    place.work.git(&["tag", "-a", "-m", "one", "v1"]).await;
    place.push("alice/hello", &["v1"]).await;
    let second = place.work.commit("stack.yml", "two").await;
    place.push("alice/hello", &["main"]).await;
    let get = async |path: &str| place.alice(Method::GET, &format!("/repos/alice/hello/{path}"), None).await;
    for (name, sha) in [
        ("main", &second),
        ("feature%2Fx", &place.sha),
        ("heads%2Fmain", &second),
        ("v1", &place.sha),
        ("tags%2Fv1", &place.sha),
        (&place.sha[..7], &place.sha),
    ] {
        assert_eq!(get(&format!("commits/{name}")).await.body["sha"], **sha, "{name}");
    }
    let commit = get("commits/main").await.body;
    assert_eq!(commit["parents"][0]["sha"], place.sha);
    assert_eq!(
        (&commit["commit"]["author"]["name"], &commit["commit"]["message"]),
        (&"Ann".into(), &"change stack.yml".into())
    );
    let branch = get("branches/feature/x").await.body;
    assert_eq!((&branch["name"], &branch["commit"]["sha"]), (&"feature/x".into(), &place.sha.clone().into()));
    assert_eq!(get("branches/v1").await.status, StatusCode::NOT_FOUND, "a tag is no branch");
    for name in ["nothing", "main%5E", "main%7E1", "-x", "main%0Amain", "main:stack.yml", &place.sha[..4]] {
        assert_eq!(get(&format!("commits/{name}")).await.status, StatusCode::UNPROCESSABLE_ENTITY, "{name}");
    }
}
