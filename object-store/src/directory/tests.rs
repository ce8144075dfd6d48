use std::os::unix::fs::PermissionsExt as _;
use std::sync::mpsc;

use super::*;

fn key() -> Key {
    Key::new("alice/shop/build.log").unwrap()
}

fn directory() -> (tempfile::TempDir, Directory) {
    let root = tempfile::tempdir().unwrap();
    let directory = Directory::new(root.path().join("objects"));
    (root, directory)
}

#[tokio::test]
async fn only_its_user_may_read_an_object() {
    let (_root, store) = directory();
    store.put(&key(), Bytes::from("x")).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let path = store.path(&key());
    assert_eq!(mode(&path), 0o600);
    for folder in path.ancestors().skip(1).take(3) {
        assert_eq!(mode(folder), 0o700, "{}", folder.display());
    }
}

#[tokio::test]
async fn what_a_crash_left_is_neither_listed_nor_in_the_way() {
    let (_root, store) = directory();
    let folder = store.path(&Key::new("alice/shop").unwrap());
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(".build.log.new"), "half of an object that was never finished").unwrap();
    assert!(store.list(&Key::new("alice").unwrap(), 10).await.unwrap().is_empty());
    store.put(&key(), Bytes::from("whole")).await.unwrap();
    assert_eq!(store.get(&key(), 10).await.unwrap().unwrap().bytes, "whole");
    assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
}

#[tokio::test]
async fn a_place_that_is_no_directory_is_an_error_that_names_the_object() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let store = Directory::new(file.path());
    let error = store.put(&key(), Bytes::new()).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot write alice/shop/build.log in the object store");
    assert!(store.put_if(&key(), Bytes::new(), Expected::Absent).await.is_err());
    assert!(store.list(&key(), 10).await.is_err());
    assert!(store.get(&key(), 10).await.is_err());
    assert!(store.delete(&key()).await.is_err());
}

#[tokio::test]
async fn an_object_and_a_folder_do_not_have_one_name() {
    let (_root, store) = directory();
    store.put(&key(), Bytes::from("x")).await.unwrap();
    assert!(store.put(&Key::new("alice/shop").unwrap(), Bytes::new()).await.is_err());
    assert!(store.put(&key().join("more").unwrap(), Bytes::new()).await.is_err());
    assert_eq!(store.get(&key(), 10).await.unwrap().unwrap().bytes, "x");
}

#[tokio::test]
async fn a_link_is_not_listed() {
    let (_root, store) = directory();
    store.put(&key(), Bytes::from("x")).await.unwrap();
    std::os::unix::fs::symlink("/etc", store.path(&Key::new("alice/etc").unwrap())).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", store.path(&Key::new("alice/passwd").unwrap())).unwrap();
    let listed = store.list(&Key::new("alice").unwrap(), 10).await.unwrap();
    assert_eq!(listed.into_iter().map(|object| object.key).collect::<Vec<_>>(), [key()]);
}

#[tokio::test]
async fn a_writer_waits_for_its_turn() {
    let (_root, store) = directory();
    store.put(&key(), Bytes::from("first")).await.unwrap();
    let folder = store.path(&Key::new("alice/shop").unwrap());
    let held = my_turn(File::open(&folder).unwrap(), &folder, TURN_TIME).unwrap();
    let (done, is_done) = mpsc::channel();
    let writer = tokio::spawn({
        let store = store.clone();
        async move {
            store.put(&key(), Bytes::from("second")).await.unwrap();
            done.send(()).unwrap();
        }
    });
    assert_eq!(store.get(&key(), 10).await.unwrap().unwrap().bytes, "first", "a reader does not wait");
    assert!(is_done.try_recv().is_err());
    drop(held);
    writer.await.unwrap();
    assert_eq!(store.get(&key(), 10).await.unwrap().unwrap().bytes, "second");
}

#[test]
fn a_writer_that_never_ends_is_not_waited_for_forever() {
    let folder = tempfile::tempdir().unwrap();
    let open = || File::open(folder.path()).unwrap();
    let _held = my_turn(open(), folder.path(), TURN_TIME).unwrap();
    let error = my_turn(open(), folder.path(), Duration::from_millis(20)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.to_string().starts_with("another writer holds"), "{error}");
}
