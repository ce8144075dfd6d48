use std::path::PathBuf;

use super::*;
use crate::refs;

/// A repository with a work tree, driven by the real git.
struct Work {
    folder: tempfile::TempDir,
    git: Git,
}

impl Work {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let git = Git::new("git".into(), folder.path().into(), 1 << 20, 2);
        let work = Self { folder, git };
        work.run(&["init", "-q", "-b", "main", "."]).await;
        work.run(&["config", "user.name", "Ann Other"]).await;
        work.run(&["config", "user.email", "ann@example.com"]).await;
        work
    }

    fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    async fn run(&self, arguments: &[&str]) -> String {
        String::from_utf8(self.git.ask(&self.path(), arguments).await.unwrap()).unwrap().trim().to_owned()
    }

    async fn commit(&self, message: &str) -> CommitSha {
        self.run(&["add", "-A"]).await;
        self.run(&["commit", "-q", "--allow-empty", "-m", message]).await;
        self.run(&["rev-parse", "HEAD"]).await.parse().unwrap()
    }

    async fn read(&self, before: Option<&CommitSha>, after: &CommitSha, refs: &Refs) -> History {
        let update =
            Update { reference: "refs/heads/main".into(), before: before.cloned(), after: Some(after.clone()) };
        read(&self.git, &self.path(), &update, refs).await.unwrap()
    }
}

#[tokio::test]
async fn commits_are_listed_oldest_first_with_their_files() {
    let work = Work::new().await;
    std::fs::write(work.path().join("a"), "1").unwrap();
    std::fs::write(work.path().join("b"), "1").unwrap();
    work.commit("first\n\nwith a body").await;
    std::fs::remove_file(work.path().join("a")).unwrap();
    std::fs::write(work.path().join("b"), "2").unwrap();
    std::fs::write(work.path().join("new\nline"), "2").unwrap();
    work.commit("second").await;
    let head = work.commit("empty").await;

    let history = work.read(None, &head, &Refs::new()).await;
    let messages: Vec<_> = history.commits.iter().map(|c| c.message.as_str()).collect();
    assert_eq!(messages, ["first\n\nwith a body", "second", "empty"]);
    let [first, second, empty] = &history.commits[..] else { panic!("three commits") };
    assert_eq!((first.added.len(), first.author.email.as_str()), (2, "ann@example.com"));
    assert_eq!((&second.added[..], &second.removed[..]), (&["new\nline".to_owned()][..], &["a".to_owned()][..]));
    assert_eq!(second.modified, ["b"]);
    assert!(empty.added.is_empty() && empty.modified.is_empty() && empty.removed.is_empty());
    assert_eq!(history.head.unwrap().id, head.as_str());
    assert!(!history.forced);
}

#[tokio::test]
async fn a_rewritten_branch_is_forced_and_a_grown_one_is_not() {
    let work = Work::new().await;
    let first = work.commit("first").await;
    let second = work.commit("second").await;
    let grown = work.read(Some(&first), &second, &Refs::new()).await;
    assert_eq!((grown.commits.len(), grown.forced), (1, false));
    work.run(&["reset", "-q", "--hard", first.as_str()]).await;
    let other = work.commit("other").await;
    let rewritten = work.read(Some(&second), &other, &Refs::new()).await;
    assert_eq!((rewritten.commits.len(), rewritten.forced), (1, true));
}

#[tokio::test]
async fn a_new_branch_lists_only_what_is_new_and_names_its_base() {
    let work = Work::new().await;
    let head = work.commit("first").await;
    let before = refs::snapshot(&work.git, &work.path()).await.unwrap();
    let history = work.read(None, &head, &before).await;
    assert!(history.commits.is_empty());
    assert_eq!(history.base_ref.as_deref(), Some("refs/heads/main"));
    assert_eq!(history.head.unwrap().message, "first");
}

#[tokio::test]
async fn no_more_than_twenty_commits_are_listed() {
    let work = Work::new().await;
    let mut head = work.commit("0").await;
    for number in 1..25 {
        head = work.commit(&number.to_string()).await;
    }
    let history = work.read(None, &head, &Refs::new()).await;
    assert_eq!(history.commits.len(), 20);
    assert_eq!(history.commits[19].message, "24");
}

#[tokio::test]
async fn commits_that_are_too_long_to_tell_do_not_hold_up_the_push() {
    let work = Work::new().await;
    let text = tempfile::NamedTempFile::new().unwrap();
    let commit = async |bytes: usize| {
        std::fs::write(text.path(), "x".repeat(bytes)).unwrap();
        work.run(&["commit", "-q", "--allow-empty", "-F", text.path().to_str().unwrap()]).await;
        work.commit("small").await
    };
    let after = commit(200_000).await;
    let told = work.read(None, &after, &Refs::new()).await;
    assert_eq!(told.commits[0].message.len(), MAX_MESSAGE);
    let huge = commit(33 << 20).await;
    let told = work.read(None, &huge, &Refs::new()).await;
    assert!(told.commits.is_empty());
    assert_eq!(told.head.unwrap().message, "small");
}
