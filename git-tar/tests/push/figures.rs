//! How long a push takes with the other side stubbed. The numbers are printed; the bounds here are loose,
//! because tests share the machine. The benchmarks hold the real ones.

use std::time::{Duration, Instant};

use crate::lab::{Lab, git};

async fn stack_of(count: usize) -> Lab {
    let lab = Lab::new().await;
    let mut stack = "version: 1.0\nprovider:\n  name: openfaas\nfunctions:\n".to_owned();
    for number in 0..count {
        stack.push_str(&format!("  fn{number}:\n    lang: py\n    handler: ./fn{number}\n    image: fn{number}\n"));
        lab.write(&format!("fn{number}/handler.py"), &format!("print({number})\n"));
        lab.write(&format!("fn{number}/requirements.txt"), "flask\n");
    }
    lab.write("stack.yml", &stack);
    lab
}

async fn timed(lab: &mut Lab) -> (Duration, String) {
    let event = lab.commit();
    let _ = lab.router();
    let started = Instant::now();
    let (_, answer) = lab.run(&event).await;
    (started.elapsed(), answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn five_small_functions() {
    let mut lab = stack_of(5).await;
    let mut took = Vec::new();
    for round in 0..5 {
        for number in 0..5 {
            lab.write(&format!("fn{number}/handler.py"), &format!("print({number}, {round})\n"));
        }
        let (time, answer) = timed(&mut lab).await;
        assert!(answer.ends_with("(5 built)"), "{answer}");
        took.push(time);
    }
    println!("5 functions built: {took:?}");
    assert!(took.iter().min().unwrap() < &Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_history_costs_nothing() {
    let mut lab = stack_of(5).await;
    let repository = lab.repository("alice/app.git");
    let mut import = String::new();
    for number in 0..5000 {
        import.push_str(&format!(
            "commit refs/heads/main\ncommitter a <a@b> {number} +0000\ndata 1\nx\nM 100644 inline old/{}\ndata 2\n{}\n",
            number % 10,
            number % 7
        ));
    }
    let file = lab.dir.path().join("import");
    std::fs::write(&file, import).unwrap();
    let status = std::process::Command::new("git")
        .args(["fast-import", "--quiet"])
        .current_dir(&repository)
        .stdin(std::fs::File::open(&file).unwrap())
        .status()
        .unwrap();
    assert!(status.success());
    git(&repository, &["reset", "--quiet", "--mixed"]);
    let mut took = Vec::new();
    for _ in 0..5 {
        let (time, answer) = timed(&mut lab).await;
        assert!(answer.ends_with("(5 built)"), "{answer}");
        took.push(time);
    }
    println!("5 functions after 5,000 commits: {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_functions_none_or_one_changed() {
    let mut lab = stack_of(50).await;
    let (first, _) = timed(&mut lab).await;
    lab.deploy_orders();
    let mut took = Vec::new();
    for _ in 0..5 {
        let (time, answer) = timed(&mut lab).await;
        assert!(answer.ends_with("(50 unchanged)"), "{answer}");
        took.push(time);
    }
    lab.write("fn7/handler.py", "changed");
    let (one, answer) = timed(&mut lab).await;
    assert!(answer.ends_with("(1 built, 49 unchanged)"), "{answer}");
    assert_eq!(lab.orders().len(), 51);
    println!("50 functions: built {first:?}, unchanged {took:?}, one changed {one:?}");
    assert!(took.iter().min().unwrap() < &Duration::from_secs(2));
}
