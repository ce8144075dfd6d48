use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::guard::PackGuard;
use super::*;

fn limits() -> Limits {
    Limits {
        max_pack_bytes: 1 << 20,
        max_unpacked_bytes: 1 << 20,
        max_objects: 100,
        timeout: Duration::from_secs(10),
        stall: Duration::from_secs(10),
    }
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn deflated(content: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// An entry's type and size.
fn head(kind: u8, size: u64) -> Vec<u8> {
    let mut bytes = vec![(kind << 4) | (size & 15) as u8];
    if size >> 4 != 0 {
        bytes[0] |= 0x80;
        bytes.extend(varint(size >> 4));
    }
    bytes
}

fn pack(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut pack = b"PACK\0\0\0\x02".to_vec();
    pack.extend((entries.len() as u32).to_be_bytes());
    pack.extend(entries.concat());
    pack.extend([0; 20]);
    pack
}

fn blob(size: usize) -> Vec<u8> {
    [head(3, size as u64), deflated(&vec![b'x'; size])].concat()
}

/// A delta against the entry before it that claims to make `result` bytes.
fn delta(result: u64) -> Vec<u8> {
    let content = [varint(10), varint(result), vec![0x90, 10]].concat();
    [head(6, content.len() as u64), vec![20], deflated(&content)].concat()
}

fn check(pack: &[u8], piece: usize) -> Result<(), GitError> {
    let mut guard = PackGuard::new(limits());
    pack.chunks(piece).try_for_each(|piece| guard.check(piece))?;
    guard.finish()
}

#[test]
fn honest_packs_pass_in_pieces_of_any_size() {
    let pack = pack(&[blob(10), delta(10), blob(0), blob(100_000), blob(15), blob(16)]);
    for piece in [1, 2, 7, 64, 4096, pack.len()] {
        check(&pack, piece).unwrap();
    }
    check(&self::pack(&[]), 5).unwrap();
}

#[test]
fn s26_claims_of_size_are_bounded_however_they_are_made() {
    for bomb in [
        pack(&[blob(2 << 20)]),
        pack(&[blob(10), delta(10 << 30)]),
        pack(&vec![blob(100_000); 11]),
        pack(&vec![blob(1); 101]),
    ] {
        assert!(matches!(check(&bomb, 512), Err(GitError::TooBig(_))));
    }
}

#[test]
fn broken_packs_are_refused() {
    let good = pack(&[blob(10), delta(10)]);
    for end in [0, 3, 11, 12, 13, 20, good.len() - 1] {
        assert!(matches!(check(&good[..end], 4), Err(GitError::Broken(_))), "{end}");
    }
    let longer = [good.clone(), vec![0]].concat();
    let lying = pack(&[[head(3, 5), deflated(b"six...")].concat()]);
    let short = pack(&[[head(3, 9), deflated(b"six...")].concat()]);
    let kind = pack(&[[head(5, 3), deflated(b"abc")].concat()]);
    let garbage = pack(&[[head(3, 3), vec![1, 2, 3, 4, 5, 6]].concat()]);
    for bad in [longer, lying, short, kind, garbage, b"<html>not a pack</html>".to_vec()] {
        assert!(matches!(check(&bad, 8), Err(GitError::Broken(_))), "{bad:?}");
    }
}

#[test]
fn a_token_stays_below_its_address() {
    let http = sdk::http::client();
    let credential = Credential { base: "http://git.local:81/git".parse().unwrap(), user: "x", token: "t".into() };
    let shows = |url: &str| {
        let remote = Remote::new(http.clone(), url.parse().unwrap(), Some(&credential), limits()).unwrap();
        remote.has_credential()
    };
    assert!(shows("http://git.local:81/git/alice/app.git"));
    for other in [
        "http://git.local/git/a/b.git",
        "https://git.local:81/git/a/b.git",
        "http://git.local.evil:81/git/a/b.git",
        "http://git.local:81/gitx/a/b.git",
        "http://git.local:81/git/../other/b.git",
    ] {
        assert!(!shows(other), "{other}");
    }
}

#[test]
fn only_what_may_pass_is_tried_again() {
    let status = |code: u16| GitError::Status(http::StatusCode::from_u16(code).unwrap());
    for passing in [status(500), status(429), GitError::TimedOut(Duration::from_secs(3)), GitError::Protocol("x")] {
        assert!(!passing.is_final(), "{passing}");
    }
    for final_one in [
        status(301),
        status(401),
        status(404),
        GitError::UnknownCommit,
        GitError::Sha256,
        GitError::TooBig(String::new()),
    ] {
        assert!(final_one.is_final(), "{final_one}");
    }
}
