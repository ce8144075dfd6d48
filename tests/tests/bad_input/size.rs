//! Repositories that are too big, in two ways: on their way in, and once unpacked.

use std::fs::File;

use crate::live::Live;

const MIB: u64 = 1 << 20;

/// A file that takes no room here.
fn sparse(live: &Live, mib: u64) {
    File::create(live.repository.folder().join("big")).unwrap().set_len(mib * MIB).unwrap();
}

#[test]
fn a_push_over_the_limit_is_turned_away_and_leaves_nothing() {
    let live = Live::new();
    let repository = &live.repository;
    // Zeros that git does not compress: on the wire they are as big as anything else.
    for setting in [["core.compression", "0"], ["core.bigFileThreshold", "1m"]] {
        repository.git(&[&["config"], &setting[..]].concat());
    }
    sparse(&live, 520);
    let before = live.repository.head();
    repository.commit("Too big");
    let pushed = repository.push(&live.platform);
    assert!(!pushed.ok && pushed.output.contains("This push is larger than 512 MiB"), "{pushed}");
    repository.git(&["reset", "--quiet", "--hard", &before]);
    live.is_untouched();
    let size: u64 = tree(&live.platform.data().join("git"));
    assert!(size < 10 * MIB, "{size} bytes of it were kept");
    repository.write("a/answer", "small again");
    let pushed = repository.commit_and_push(&live.platform);
    assert!(pushed.ok && pushed.says("Deployed 1 function"), "{pushed}");
}

#[test]
fn a_small_push_that_unpacks_to_gigabytes_is_not_deployed() {
    let live = Live::new();
    live.repository.git(&["config", "core.compression", "1"]);
    sparse(&live, 1100);
    live.refused("the repository is too big: its files have more than 1024 MiB");
}

fn tree(path: &std::path::Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(path) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(about) if about.is_dir() => tree(&entry.path()),
            Ok(about) => about.len(),
            Err(_) => 0,
        })
        .sum()
}
