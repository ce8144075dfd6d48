//! Tars at the builder's own door, rightly signed: what is in them is believed no more for that.

use std::io::Write;

use end_to_end::{Answer, Platform, platform};
use sdk::signing::sha256_header;
use secrecy::SecretString;

const MIB: u64 = 1 << 20;

fn build(platform: &Platform, body: Vec<u8>) -> Answer {
    let secret = SecretString::from(platform.secret("builder-payload-secret"));
    let url = format!("http://{}/build", platform.builder());
    let request = reqwest::Client::new().post(url).header("x-build-signature", sha256_header(&secret, &body));
    platform.send(request.header("content-type", "application/octet-stream").body(body))
}

fn header(size: u64, kind: tar::EntryType) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o644);
    header.set_entry_type(kind);
    header
}

/// A tar that says what to build, with what `fill` adds to it.
fn archive(fill: impl FnOnce(&mut tar::Builder<Vec<u8>>)) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let config = br#"{"image": "e2e/bomb:latest"}"#;
    let file = |size: usize| header(size as u64, tar::EntryType::Regular);
    tar.append_data(&mut file(config.len()), "com.openfaas.docker.config", &config[..]).unwrap();
    let dockerfile = b"FROM debian:bookworm-slim\n";
    tar.append_data(&mut file(dockerfile.len()), "context/Dockerfile", &dockerfile[..]).unwrap();
    fill(&mut tar);
    tar.into_inner().unwrap()
}

#[test]
fn tar_bombs_are_refused_before_anything_is_unpacked() {
    let platform = platform!();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&archive(|_| ())).unwrap();
    let compressed = build(&platform, packed.finish().unwrap());
    assert_eq!(compressed.status, 415, "{}", compressed.text);

    let entries = build(
        &platform,
        archive(|tar| {
            for number in 0..20_001 {
                tar.append_data(&mut header(0, tar::EntryType::Regular), format!("context/{number}"), &[][..]).unwrap();
            }
        }),
    );
    assert_eq!(entries.status, 413, "{}", entries.text);

    // Says that a terabyte follows, and ends.
    let mut promise = archive(|_| ());
    promise.truncate(promise.len() - 1024);
    let mut huge = header(1024 * 1024 * MIB, tar::EntryType::Regular);
    huge.set_path("context/huge").unwrap();
    huge.set_cksum();
    promise.extend_from_slice(huge.as_bytes());
    promise.extend_from_slice(&[0; 1024]);
    let promised = build(&platform, promise);
    assert!([400, 413].contains(&promised.status), "{}", promised.text);
    assert!(platform.engine().images_of("e2e").is_empty());
    platform.wait_for_no_work();
}

#[test]
fn paths_links_and_devices_that_lead_out_are_refused() {
    let platform = platform!();
    let out = archive(|tar| {
        let mut header = header(1, tar::EntryType::Regular);
        header.as_old_mut().name[..20].copy_from_slice(b"context/../../escape");
        header.set_cksum();
        tar.append(&header, &b"x"[..]).unwrap();
    });
    let link = archive(|tar| {
        let mut header = header(0, tar::EntryType::Symlink);
        tar.append_link(&mut header, "context/link", "/etc/passwd").unwrap();
    });
    let device = archive(|tar| {
        let mut header = header(0, tar::EntryType::Block);
        header.set_path("context/disk").unwrap();
        header.set_cksum();
        tar.append(&header, &[][..]).unwrap();
    });
    for (what, body) in [("path", out), ("link", link), ("device", device), ("garbage", vec![7; 4096])] {
        let answer = build(&platform, body);
        assert_eq!(answer.status, 400, "{what}: {}", answer.text);
    }
}

#[test]
fn the_builder_believes_no_stranger() {
    let platform = platform!();
    let url = format!("http://{}/build", platform.builder());
    let post = || reqwest::Client::new().post(&url).body(archive(|_| ()));
    assert_eq!(platform.send(post()).status, 401);
    let wrong = sha256_header(&SecretString::from("wrong"), b"");
    assert_eq!(platform.send(post().header("x-build-signature", wrong)).status, 403);
}
