use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use tar::{Builder, EntryType, Header};

use super::*;
use crate::data_dir::DataDir;

fn platform() -> (tempfile::TempDir, DataDir) {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::create(&folder.path().join(".ofc")).unwrap();
    let files = [
        ("secrets/payload-secret", "p"),
        ("sealing-keys/1.pem", "key"),
        ("secret-records/git.localhost/1.json", "{}"),
        ("customers", "alice\n"),
        ("gateway/secrets/openfaas-fn/alice-db", "v"),
        ("gateway/queue.db", "q"),
        ("auth/auth.db", "a"),
        ("git/owners.json", "{}"),
        ("git/.new-x1", "half"),
        ("git/repositories/alice/hello.git/HEAD", "ref"),
        ("ofc.lock", "1"),
        ("ofc.log", "l"),
        ("ofc.log.1", "l"),
        ("work/x", "w"),
    ];
    for (path, text) in files {
        let file = data.root().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    (folder, data)
}

fn made(data: &DataDir, scope: Scope) -> (Vec<u8>, Summary) {
    let mut bytes = Vec::new();
    let summary = write(data, scope, &mut bytes).unwrap();
    (bytes, summary)
}

fn files(folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            if path.is_dir() {
                assert_eq!(mode, 0o700, "{}", path.display());
                folders.push(path);
            } else {
                assert_eq!(mode, 0o600, "{}", path.display());
                all.push(path.strip_prefix(folder).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    all.sort();
    all
}

#[test]
fn of_one_that_is_stopped_everything_comes_back_and_of_one_that_runs_what_cannot_be_made_again() {
    let (folder, data) = platform();
    let essential = [
        "customers",
        "gateway/secrets/openfaas-fn/alice-db",
        "git/owners.json",
        "sealing-keys/1.pem",
        "secret-records/git.localhost/1.json",
        "secrets/payload-secret",
    ];
    let more = ["auth/auth.db", "gateway/queue.db", "git/repositories/alice/hello.git/HEAD"];
    let mut whole = [essential.as_slice(), more.as_slice()].concat();
    whole.sort_unstable();
    for (scope, expected) in [(Scope::Essential, essential.to_vec()), (Scope::Whole, whole)] {
        let (bytes, written) = made(&data, scope);
        let into = folder.path().join(format!("{scope:?}"));
        let restored = restore(&*bytes, &into).unwrap();
        assert_eq!(files(&into), expected);
        assert_eq!((restored.whole, &restored.summary), (scope == Scope::Whole, &written));
        assert_eq!(fs::read_to_string(into.join("customers")).unwrap(), "alice\n");
        let mode = fs::metadata(&into).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o700);
    }
}

#[test]
fn a_directory_that_is_used_is_left_alone() {
    let (folder, data) = platform();
    let (bytes, _) = made(&data, Scope::Whole);
    let error = crate::report::render(&restore(&*bytes, data.root()).unwrap_err());
    assert!(error.contains("is not empty") && error.contains("--data DIR"), "{error}");
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    assert!(restore(&*bytes, &file).is_err());
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    restore(&*bytes, &empty).unwrap();
    assert!(empty.join("customers").exists());
}

#[test]
fn a_link_in_the_data_directory_is_no_backup() {
    let (_folder, data) = platform();
    symlink("/etc/hostname", data.root().join("secrets/link")).unwrap();
    let error = write(&data, Scope::Essential, &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("secrets/link is neither a file nor a folder"), "{error}");
}

#[test]
fn a_damaged_backup_restores_nothing() {
    let (folder, data) = platform();
    let (bytes, _) = made(&data, Scope::Whole);
    let into = folder.path().join("new");
    let blocks = bytes.len() / 512;
    // At the end are the mark and two empty blocks, or more: without the mark, nothing counts.
    let mark = bytes.windows(END.len()).rposition(|window| window == END.as_bytes()).unwrap();
    let cuts = (0..blocks).map(|block| block * 512).chain([100, 700, 1500]).filter(|cut| *cut <= mark);
    for end in cuts {
        assert!(restore(&bytes[..end], &into).is_err(), "{end}");
        assert!(!into.exists(), "{end}");
    }
    let left = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 1, "nothing is left of what was tried");
    for text in [&b"hello"[..], &[0; 1024]] {
        let error = restore(text, &into).unwrap_err();
        assert!(error.to_string().contains("no backup") || error.to_string().contains("damaged"), "{error}");
    }
}

/// An archive with our manifest and one more entry, whose name is written as it is.
fn hostile(name: &str, kind: EntryType, link: &str) -> Vec<u8> {
    archive(FORMAT, Some((name, kind, link)))
}

fn archive(format: u32, more: Option<(&str, EntryType, &str)>) -> Vec<u8> {
    let mut archive = Builder::new(Vec::new());
    let manifest = Manifest { format, version: "9.9".into(), made_at: Utc::now(), whole: true };
    let text = serde_json::to_vec(&manifest).unwrap();
    let mut header = Header::new_gnu();
    header.set_size(text.len() as u64);
    archive.append_data(&mut header, MANIFEST, &*text).unwrap();
    let mut end = Header::new_gnu();
    end.set_size(0);
    if let Some((name, kind, link)) = more {
        let mut header = Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_gnu_mut().unwrap().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_cksum();
        archive.append(&header, &[][..]).unwrap();
    }
    archive.append_data(&mut end, END, &[][..]).unwrap();
    archive.into_inner().unwrap()
}

#[test]
fn nothing_leaves_the_directory_and_nothing_but_files_gets_in() {
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("new/.ofc");
    let cases = [
        ("../evil", EntryType::Regular, ""),
        ("secrets/../../evil", EntryType::Regular, ""),
        ("/tmp/ofc-evil", EntryType::Regular, ""),
        ("secrets", EntryType::Symlink, "/etc"),
        ("secrets", EntryType::Link, "/etc/passwd"),
        ("fifo", EntryType::Fifo, ""),
        ("ofc.lock", EntryType::Regular, ""),
        ("running.json", EntryType::Regular, ""),
        ("ofc-backup.json", EntryType::Regular, ""),
        ("", EntryType::Directory, ""),
    ];
    for (name, kind, link) in cases {
        let error = restore(&*hostile(name, kind, link), &into).unwrap_err();
        assert!(error.to_string().contains("no backup has"), "{name}: {error:#}");
        assert!(!into.exists() && !Path::new("/tmp/ofc-evil").exists(), "{name}");
    }
    let later = restore(&*archive(FORMAT + 1, None), &into).unwrap_err();
    assert!(crate::report::render(&later).contains("made by ofc 9.9"), "{later}");
    restore(&*hostile("customers", EntryType::Regular, ""), &into).unwrap();
    assert!(into.join("customers").is_file());
}
