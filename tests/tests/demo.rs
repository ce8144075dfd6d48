//! The demo, as a newcomer runs it: the whole platform, the Rust template included.

use std::process::Command;

/// Runs the demo on a platform of its own; what it printed.
fn demo() -> std::io::Result<String> {
    let data = tempfile::tempdir()?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_ofc-under-test"));
    let output = command.args(["demo", "--data"]).arg(data.path().join("data")).output()?;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    Ok(format!("{out}\n{err}"))
}

#[test]
fn the_demo_serves_three_functions_and_builds_nothing_the_second_time() {
    let first = demo().unwrap();
    for said in ["Hello, Ada!", "\"words\": 6", "<title>Hello</title>", "3 functions: 1 to build, 2 unchanged"] {
        assert!(first.contains(said), "nothing says '{said}':\n{first}");
    }
    let second = demo().unwrap();
    assert!(second.contains("Nothing had to be built"), "{second}");
}
