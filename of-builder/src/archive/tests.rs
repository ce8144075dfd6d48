use std::io::Write as _;

use tar::{Builder, EntryType, Header};

use super::*;

const LIMITS: Limits = Limits { body_bytes: 1 << 20, unpacked_bytes: 1 << 20, entries: 100, path_bytes: 512 };

/// One entry with any name and kind, also those a decent writer refuses to make.
fn entry(tar: &mut Vec<u8>, name: &[u8], kind: EntryType, link: &[u8], data: &[u8]) {
    let mut header = Header::new_gnu();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link);
    header.set_entry_type(kind);
    header.set_mode(0o4755);
    header.set_size(data.len() as u64);
    header.set_cksum();
    tar.extend_from_slice(header.as_bytes());
    tar.extend_from_slice(data);
    tar.resize(tar.len().next_multiple_of(512), 0);
}

fn good() -> Vec<u8> {
    let mut tar = Vec::new();
    entry(&mut tar, CONFIG.as_bytes(), EntryType::Regular, b"", br#"{"image":"a"}"#);
    entry(&mut tar, b"context/", EntryType::Directory, b"", b"");
    entry(&mut tar, b"context/Dockerfile", EntryType::Regular, b"", b"FROM scratch\n");
    tar
}

/// A good archive with one more entry.
fn with(name: &[u8], kind: EntryType, link: &[u8]) -> Vec<u8> {
    let mut tar = good();
    entry(&mut tar, name, kind, link, b"");
    tar
}

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn check(bytes: &[u8]) -> Result<Vec<u8>, ArchiveError> {
    inspect(&file(bytes), &LIMITS).map(|contents| contents.config)
}

fn sentence(bytes: &[u8]) -> String {
    check(bytes).unwrap_err().to_string()
}

#[test]
fn a_good_archive_gives_its_config() {
    assert_eq!(check(&good()).unwrap(), br#"{"image":"a"}"#);
}

#[test]
fn paths_that_lead_away_are_refused() {
    let cases: [(&[u8], &str); 6] = [
        (b"/context/x", "absolute"),
        (b"context/../x", "upwards"),
        (b"../context/x", "upwards"),
        (b"context/a\x07b", "control character"),
        (b"context/\xff", "not UTF-8"),
        (b"etc/passwd", "only com.openfaas.docker.config, com.openfaas.secrets and context/"),
    ];
    for (name, expected) in cases {
        let sentence = sentence(&with(name, EntryType::Regular, b""));
        assert!(sentence.contains(expected), "{sentence}");
    }
}

#[test]
fn a_nul_in_a_long_name_is_refused() {
    let mut tar = good();
    entry(&mut tar, b"././@LongLink", EntryType::GNULongName, b"", b"context/a\0b\0");
    entry(&mut tar, b"context/a", EntryType::Regular, b"", b"");
    assert!(sentence(&tar).contains("control character"));
}

#[test]
fn long_and_deep_paths_are_refused() {
    for name in [format!("context/{}", "a/".repeat(70)), format!("context/{}", "a".repeat(256)), "context/b".repeat(99)]
    {
        let mut tar = good();
        entry(&mut tar, b"././@LongLink", EntryType::GNULongName, b"", name.as_bytes());
        entry(&mut tar, b"context/a", EntryType::Regular, b"", b"");
        assert!(matches!(check(&tar), Err(ArchiveError::Path(..))), "{name}");
    }
}

#[test]
fn only_files_folders_and_symbolic_links_pass() {
    for (kind, expected) in [
        (EntryType::Link, "a hard link"),
        (EntryType::Char, "a device"),
        (EntryType::Block, "a device"),
        (EntryType::Fifo, "a named pipe"),
        (EntryType::new(b'?'), "an unknown kind"),
    ] {
        let sentence = sentence(&with(b"context/x", kind, b"context/Dockerfile"));
        assert!(sentence.contains(expected) || sentence.contains("of an unknown kind"), "{sentence}");
    }
}

#[test]
fn sparse_files_are_refused() {
    // A sparse header claims a size that no byte of the archive backs.
    assert!(check(&with(b"context/x", EntryType::GNUSparse, b"")).is_err());
    let mut tar = good();
    entry(&mut tar, b"pax", EntryType::XHeader, b"", b"22 GNU.sparse.major=1\n");
    entry(&mut tar, b"context/x", EntryType::Regular, b"", b"");
    assert!(sentence(&tar).contains("changes a file's size"));
}

#[test]
fn a_pax_size_that_hides_entries_is_refused() {
    let mut tar = good();
    entry(&mut tar, b"pax", EntryType::XHeader, b"", b"12 size=512\n");
    entry(&mut tar, b"context/x", EntryType::Regular, b"", b"");
    assert!(sentence(&tar).contains("changes a file's size"));
    let mut tar = good();
    entry(&mut tar, b"pax", EntryType::XGlobalHeader, b"", b"");
    assert!(sentence(&tar).contains("a global PAX header"));
}

#[test]
fn an_oversized_extension_record_is_refused() {
    let mut tar = good();
    entry(&mut tar, b"././@LongLink", EntryType::GNULongName, b"", &vec![b'a'; 70_000]);
    assert!(sentence(&tar).contains("oversized"));
}

#[test]
fn links_inside_the_context_pass() {
    for (name, target) in [("context/l", "Dockerfile"), ("context/d/l", "../Dockerfile"), ("context/d/l", "./../d/x")] {
        check(&with(name.as_bytes(), EntryType::Symlink, target.as_bytes())).unwrap();
    }
}

#[test]
fn links_out_of_the_context_are_refused() {
    for (name, target) in [("context/l", "/etc/passwd"), ("context/l", "../x"), ("context/d/l", "a/../../../x")] {
        let sentence = sentence(&with(name.as_bytes(), EntryType::Symlink, target.as_bytes()));
        assert!(sentence.contains("leads out of the build context"), "{sentence}");
    }
}

#[test]
fn links_out_by_way_of_another_link_are_refused() {
    // On paper p/q/r/.. is p/q; followed, it is the folder above the context.
    let mut tar = good();
    entry(&mut tar, b"context/p/q/r", EntryType::Symlink, b"../..", b"");
    entry(&mut tar, b"context/l", EntryType::Symlink, b"p/q/r/..", b"");
    assert!(sentence(&tar).contains("context/l leads out"));
    let mut tar = good();
    entry(&mut tar, b"context/a", EntryType::Symlink, b"b", b"");
    entry(&mut tar, b"context/b", EntryType::Symlink, b"a", b"");
    assert!(sentence(&tar).contains("leads out"));
}

#[test]
fn nothing_may_lie_below_a_link_or_a_file() {
    let mut tar = good();
    entry(&mut tar, b"context/l", EntryType::Symlink, b"d", b"");
    entry(&mut tar, b"context/l/x", EntryType::Regular, b"", b"");
    assert!(sentence(&tar).contains("below context/l, which is not a folder"));
    assert!(sentence(&with(b"context/Dockerfile/x", EntryType::Regular, b"")).contains("not a folder"));
    assert!(sentence(&with(b"context", EntryType::Symlink, b"etc")).contains("not a folder"));
}

#[test]
fn duplicates_are_refused_also_under_another_spelling() {
    for name in [&b"context/Dockerfile"[..], b"./context/./Dockerfile", b"context//Dockerfile"] {
        assert!(sentence(&with(name, EntryType::Regular, b"")).contains("context/Dockerfile twice"));
    }
    let mut tar = good();
    entry(&mut tar, CONFIG.as_bytes(), EntryType::Regular, b"", b"{}");
    assert!(sentence(&tar).contains("com.openfaas.docker.config twice"));
    check(&with(b"context/", EntryType::Directory, b"")).unwrap();
}

#[test]
fn too_many_entries_and_too_many_bytes_are_refused() {
    let mut tar = good();
    for n in 0..100 {
        entry(&mut tar, format!("context/{n}").as_bytes(), EntryType::Regular, b"", b"");
    }
    assert!(sentence(&tar).contains("more than 100 entries"));
    let mut tar = good();
    entry(&mut tar, b"context/zeros", EntryType::Regular, b"", &vec![0; (1 << 20) + 1]);
    assert!(sentence(&tar).contains("more than 1048576 bytes"));
}

#[test]
fn a_size_without_the_bytes_is_refused() {
    let mut tar = good();
    entry(&mut tar, b"context/x", EntryType::Regular, b"", &[7; 2048]);
    tar.truncate(tar.len() - 1024);
    assert!(sentence(&tar).contains("ends in the middle of context/x"));
}

#[test]
fn compressed_bodies_and_other_bytes_are_refused() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&vec![0; 1 << 24]).unwrap();
    assert!(sentence(&gzip.finish().unwrap()).contains("gzip-compressed: send a plain tar"));
    assert!(sentence(&[b'x'; 1024]).contains("not a readable tar"));
    assert!(sentence(b"").contains("no com.openfaas.docker.config"));
}

#[test]
fn what_must_be_there_is_asked_for() {
    let mut tar = Vec::new();
    entry(&mut tar, CONFIG.as_bytes(), EntryType::Regular, b"", b"{}");
    assert!(sentence(&tar).contains("no context/Dockerfile"));
}

/// A good archive with sealed secrets before its last entry.
fn sealed(text: &[u8]) -> Vec<u8> {
    let mut tar = Vec::new();
    entry(&mut tar, CONFIG.as_bytes(), EntryType::Regular, b"", br#"{"image":"a"}"#);
    entry(&mut tar, SECRETS.as_bytes(), EntryType::Regular, b"", text);
    entry(&mut tar, b"context/Dockerfile", EntryType::Regular, b"", b"FROM scratch\n");
    tar
}

#[test]
fn sealed_secrets_are_one_bounded_file_beside_the_context() {
    let contents = inspect(&file(&sealed(b"version: v1\n")), &LIMITS).unwrap();
    assert_eq!(contents.sealed.unwrap().text, b"version: v1\n");
    assert!(inspect(&file(&good()), &LIMITS).unwrap().sealed.is_none());
    let mut twice = sealed(b"a");
    entry(&mut twice, SECRETS.as_bytes(), EntryType::Regular, b"", b"a");
    assert_eq!(sentence(&twice), "the archive holds com.openfaas.secrets twice");
    for kind in [EntryType::Symlink, EntryType::Directory] {
        assert!(sentence(&with(SECRETS.as_bytes(), kind, b"context/Dockerfile")).contains("not a file"));
    }
    let large = vec![b'#'; usize::try_from(MAX_SECRETS_BYTES).unwrap() + 1];
    assert_eq!(sentence(&sealed(&large)), "com.openfaas.secrets is larger than 262144 bytes");
}

#[test]
fn an_upload_is_known_by_all_but_its_sealed_values() {
    let known_by = |tar: &[u8], ids: &[&str]| {
        let file = file(tar);
        let place = inspect(&file, &LIMITS).unwrap().sealed.unwrap().place;
        fingerprint(&file, &place, &ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>()).unwrap()
    };
    let one = known_by(&sealed(b"one"), &["a"]);
    assert_eq!(one, known_by(&sealed(&b"another".repeat(300)), &["a"]));
    assert_ne!(one, known_by(&sealed(b"one"), &["b"]));
    assert_ne!(one, known_by(&sealed(b"one"), &[]));
    assert_ne!(known_by(&sealed(b"one"), &["ab", "c"]), known_by(&sealed(b"one"), &["a", "bc"]));
    for at in [0, 514, 2050, 2562] {
        let mut other = sealed(b"one");
        assert_ne!(other[at], b'#');
        other[at] = b'#';
        let place = 1024..2048;
        assert_ne!(one, fingerprint(&file(&other), &place, &["a".to_owned()]).unwrap(), "{at}");
    }
}

#[tokio::test]
async fn the_engine_never_gets_the_sealed_secrets() {
    let mut chunks = repack::context(file(&sealed(b"version: v1\n")));
    let mut packed = Vec::new();
    while let Some(chunk) = chunks.recv().await {
        packed.extend_from_slice(&chunk.unwrap());
    }
    let mut archive = Archive::new(&packed[..]);
    let names: Vec<_> = archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().into_owned()).collect();
    assert_eq!(names, [std::path::Path::new("Dockerfile")]);
}

#[tokio::test]
async fn the_engine_gets_the_context_with_plain_headers() {
    let mut tar = good();
    let long = format!("context/{}/handler.py", "folder/".repeat(30));
    let mut builder = Builder::new(&mut tar);
    let mut header = Header::new_gnu();
    header.set_size(2);
    header.set_mode(0o640);
    header.set_uid(1000);
    builder.append_data(&mut header, &long, &b"hi"[..]).unwrap();
    header.set_entry_type(EntryType::Symlink);
    header.set_size(0);
    builder.append_link(&mut header, "context/l", "Dockerfile").unwrap();
    builder.finish().unwrap();
    drop(builder);
    check(&tar).unwrap();

    let mut received = repack::context(file(&tar));
    let mut bytes = Vec::new();
    while let Some(chunk) = received.recv().await {
        bytes.extend_from_slice(&chunk.unwrap());
    }
    let mut seen = Vec::new();
    for entry in Archive::new(&bytes[..]).entries().unwrap() {
        let entry = entry.unwrap();
        let header = entry.header();
        seen.push((entry.path().unwrap().display().to_string(), header.mode().unwrap(), header.uid().unwrap()));
    }
    let long = long.trim_start_matches("context/").replace("//", "/");
    assert_eq!(seen, [("Dockerfile".to_owned(), 0o755, 0), (long, 0o640, 0), ("l".to_owned(), 0o640, 0)]);
}
