use nix::sys::signal::Signal;

use crate::support::program::write_credentials;
use crate::support::{PASSWORD, USER};
use crate::without_engine;

#[tokio::test]
async fn a_hangup_reads_the_credentials_anew_and_broken_files_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut program = without_engine(dir.path()).run().await;
    write_credentials(&program.secrets, "root", "new");
    assert_eq!(program.status_for(USER, PASSWORD).await, 200, "nothing changes unasked");
    program.signal(Signal::SIGHUP);
    program.says("The credentials were read anew. changed=true", 1).await;
    assert_eq!((program.status_for("root", "new").await, program.status_for(USER, PASSWORD).await), (200, 401));

    std::fs::write(program.secrets.join("basic-auth-password"), "  \n").unwrap();
    program.signal(Signal::SIGHUP);
    let refused = program.says("those of before stay", 1).await;
    assert!(refused.contains("basic-auth-password is missing"), "{refused}");
    std::fs::remove_file(program.secrets.join("basic-auth-user")).unwrap();
    program.signal(Signal::SIGHUP);
    program.says("those of before stay", 2).await;
    assert_eq!(program.status_for("root", "new").await, 200);

    write_credentials(&program.secrets, "root", "new");
    program.signal(Signal::SIGHUP);
    program.says("The credentials were read anew. changed=false", 1).await;
    assert!(program.said("new\"").is_empty(), "the password is in the log");
}

#[tokio::test]
async fn a_restart_reads_the_credentials_anew() {
    let dir = tempfile::tempdir().unwrap();
    let mut program = without_engine(dir.path()).run().await;
    write_credentials(&program.secrets, "root", "new");
    program.signal(Signal::SIGUSR2);
    program.says(crate::support::program::READY, 2).await;
    assert_eq!((program.status_for("root", "new").await, program.status_for(USER, PASSWORD).await), (200, 401));
}
