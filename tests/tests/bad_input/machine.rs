//! The machine fails: the engine, the disk, the queue's file.

use std::fs;
use std::path::Path;
use std::process::Command;

use end_to_end::{EngineSocket, Platform, Repository, login, options};

use crate::live::{GOOD, Live};

#[test]
fn an_engine_that_stops_during_a_build_delays_the_push() {
    let socket = EngineSocket::open();
    let live = Live::with(options!().engine(&socket.address()));
    let (platform, repository) = (&live.platform, &live.repository);
    repository.write(
        "a/Dockerfile",
        "FROM debian:bookworm-slim\nCOPY . /srv/\nRUN sleep 2\nCMD [\"perl\", \"/srv/serve.pl\"]\n",
    );
    repository.write("a/answer", "after the pause");
    let sha = repository.commit("Change");
    let push = platform.watch_log(
        || repository.start_push(platform, &["main"]),
        |line| line.message() == "build started" && line.field("sha") == Some(&sha),
    );
    platform.watch_log(|| socket.close(), |line| line.message() == "push finished");
    assert_eq!(platform.get(repository.owner(), "/a").text, GOOD, "what was live is served without the engine");
    platform.wait_for_audit(&sha, "was not deployed");
    socket.reopen();
    let pushed = push.wait();
    assert!(pushed.says("again"), "the pusher is told that it goes on: {pushed}");
    platform.wait_for(repository.owner(), "a", "after the pause");
    platform.wait_for_containers(&[&format!("{}-a", repository.owner())]);
    platform.wait_for_no_work();
}

#[test]
fn a_platform_that_starts_without_an_engine_says_so_and_waits_for_it() {
    let socket = EngineSocket::open();
    socket.close();
    let platform = Platform::start(options!().engine(&socket.address()));
    let said = platform.said();
    assert!(said.contains("Starting without a container engine.") && said.contains("does not answer"), "{said}");
    let repository = Repository::with(&login("alice"), "app", &[("a", GOOD)]);
    let pushed = repository.push(&platform);
    assert!(pushed.ok && pushed.says("does not answer") && pushed.says("again"), "{pushed}");
    socket.reopen();
    platform.wait_for(repository.owner(), "a", GOOD);
}

#[test]
fn a_damaged_queue_is_not_started_with() {
    let mut live = Live::new();
    live.platform.stop();
    let queue = live.platform.data().join("gateway/queue.db");
    let sound = fs::read(&queue).unwrap();
    fs::write(&queue, [b"garbage".repeat(1000), sound[7000.min(sound.len())..].to_vec()].concat()).unwrap();
    let said = live.platform.refuses_to_restart();
    assert!(said.contains(&queue.display().to_string()) && said.contains("is damaged"), "{said}");
    assert_eq!(live.platform.containers().len(), 1, "the functions go on");
    fs::write(&queue, sound).unwrap();
    live.platform.restart();
    live.platform.wait_for(live.repository.owner(), "a", GOOD);
}

/// A disk of its own for one data directory.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None` where this user may not mount.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=48m", "tmpfs"]).arg(folder.path()).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Leaves not a byte.
    fn fill(&self) {
        for size in [1 << 20, 4096, 1] {
            let mut number = 0;
            while fs::write(self.path().join(format!("fill-{size}-{number}")), vec![1; size]).is_ok() {
                number += 1;
                if number > 4096 {
                    break;
                }
            }
        }
    }

    fn free(&self) {
        for entry in fs::read_dir(self.path()).unwrap().flatten() {
            if entry.file_name().to_string_lossy().starts_with("fill-") {
                fs::remove_file(entry.path()).unwrap();
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).output();
    }
}

#[test]
fn a_full_disk_refuses_pushes_and_loses_nothing() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("skipped: only root may mount the small disk that this needs");
        return;
    };
    let live = Live::with(options!().data(&disk.path().join("data")));
    let (platform, repository) = (&live.platform, &live.repository);
    disk.fill();
    repository.write("a/answer", login("new"));
    let sha = repository.commit("Change");
    let pushed = repository.push(platform);
    assert!(!pushed.ok && pushed.says("disk is full. Nothing was changed."), "{pushed}");
    assert_eq!(platform.get(repository.owner(), "/a").text, GOOD);
    disk.free();
    let text = fs::read_to_string(repository.folder().join("a/answer")).unwrap();
    let again = repository.push(platform);
    assert!(again.ok, "{again}");
    platform.wait_for(repository.owner(), "a", &text);
    platform.wait_for_containers(&[&format!("{}-a", repository.owner())]);
    platform.wait_for_audit(&sha, "Deployed 1 function");
    platform.wait_for_no_work();
}
