use super::*;

fn keys() -> (tempfile::TempDir, SealingKeys) {
    let folder = tempfile::tempdir().unwrap();
    let keys = SealingKeys { folder: folder.path().join("sealing-keys") };
    (folder, keys)
}

fn mode(path: &PathBuf) -> u32 {
    fs::metadata(path).map_or(0, |about| about.permissions().mode() & 0o777)
}

#[tokio::test]
async fn the_first_is_made_once_and_a_newer_one_when_it_is_old_enough() {
    let (_folder, keys) = keys();
    assert!(keys.load().unwrap().is_none());
    let schedule = Schedule::new(keys.clone(), 30);
    let start = Utc::now();
    assert!(!schedule.look(start).await.unwrap(), "the first is not the schedule's");
    schedule.first(start).await.unwrap();
    schedule.first(start).await.unwrap();
    let files = keys.files().unwrap();
    assert_eq!(files, [keys.folder.join(format!("{}.pem", start.timestamp()))]);
    assert_eq!((mode(&keys.folder), mode(&files[0])), (0o700, 0o600));
    let first = keys.load().unwrap().unwrap().newest().clone();
    assert_eq!(first.not_before().timestamp(), start.timestamp());

    let later = start + TimeDelta::days(30);
    assert!(!schedule.look(later - TimeDelta::seconds(2)).await.unwrap());
    let never = Schedule::new(keys.clone(), 0);
    assert!(!never.look(later).await.unwrap());
    assert!(schedule.look(later).await.unwrap());
    assert!(!schedule.look(later).await.unwrap(), "one is enough");
    let ring = keys.load().unwrap().unwrap();
    assert_eq!(ring.certificates().len(), 2);
    assert_eq!(ring.newest().not_before().timestamp(), later.timestamp());
    let sealed = sealed_secrets::seal(&first, "openfaas-fn", "alice-db", b"value").unwrap();
    assert!(ring.open("openfaas-fn", "alice-db", &sealed).is_ok(), "what was sealed before opens");
    assert!(!is_due(&first, 30, start - TimeDelta::days(400)), "a clock that was put back makes no keys");
}

#[test]
fn a_key_that_cannot_be_used_is_no_missing_key() {
    let (_folder, keys) = keys();
    private_dir(&keys.folder).unwrap();
    fs::write(keys.folder.join("1.pem"), "hunter2").unwrap();
    let error = crate::report::render(&keys.load().unwrap_err());
    assert!(error.contains("1.pem") && error.contains("ofc restore") && !error.contains("hunter2"), "{error}");
}

#[test]
fn two_of_one_second_are_both_kept() {
    let (_folder, keys) = keys();
    private_dir(&keys.folder).unwrap();
    fs::write(keys.folder.join("7.pem"), "").unwrap();
    assert_eq!(keys.free_file(7), keys.folder.join("8.pem"));
}

#[test]
fn what_others_may_read_is_found_and_closed() {
    let (_folder, keys) = keys();
    private_dir(&keys.folder).unwrap();
    let file = keys.folder.join("1.pem");
    fs::write(&file, "").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    fs::set_permissions(&keys.folder, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(keys.open_to_others().unwrap(), [keys.folder.clone(), file]);
    keys.close().unwrap();
    assert_eq!(keys.open_to_others().unwrap(), Vec::<PathBuf>::new());
}
