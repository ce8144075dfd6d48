//! Check runs: made once, changed as the work goes on, and never by another push.

use sdk::status::{Annotation, FunctionState, STACK_CONTEXT, State};
use serde_json::{Value, json};

use super::{Lab, SHA, status};

fn of(run: &Value) -> (&str, Option<&str>) {
    (run["status"].as_str().unwrap_or_default(), run["conclusion"].as_str())
}

#[tokio::test]
async fn each_context_of_a_commit_is_one_check_run() {
    let lab = Lab::start(&[]).await;
    lab.told("call-1", &[status("greet", State::Queued, "queued"), status(STACK_CONTEXT, State::Queued, "queued")])
        .await;
    let queued = lab.run(0);
    assert_eq!((of(&queued), &queued["completed_at"]), (("queued", None), &Value::Null));
    assert_eq!(queued["details_url"], "https://github.com/alice/hello");
    let live = status("greet", State::Success, "live at https://alice.example.com/greet");
    lab.told("call-1", &[status("greet", State::InProgress, "building"), live]).await;
    let calls = lab.github.calls();
    let (find, make) = ("GET check-runs", "POST check-runs");
    let change = "PATCH check-runs/{check_run_id}";
    assert_eq!(calls, ["POST access_tokens", find, make, find, make, change, change]);
    let mut run = lab.run(0);
    assert!(run["started_at"].is_string() && run["completed_at"].is_string());
    for moment in ["id", "started_at", "completed_at"] {
        run.as_object_mut().unwrap().remove(moment);
    }
    // In which order a map is kept is for who else is built with this.
    let mut settings = insta::Settings::clone_current();
    settings.set_sort_maps(true);
    let _sorted = settings.bind_to_scope();
    insta::assert_json_snapshot!(run, @r#"
    {
      "_app": 4711,
      "conclusion": "success",
      "details_url": "https://alice.example.com/greet",
      "external_id": "call-1",
      "head_sha": "6113728f27ae82c7b1a177c8d03f9e96e0adf246",
      "name": "greet",
      "output": {
        "annotations_count": 0,
        "summary": "[live at https://alice.example.com/greet](<https://alice.example.com/greet>)",
        "title": "live at https://alice.example.com/greet"
      },
      "status": "completed"
    }
    "#);
    assert_eq!((lab.github.runs().len(), of(&lab.run(1))), (2, ("queued", None)));
}

#[tokio::test]
async fn a_failure_shows_the_log_the_line_and_the_whole_stack() {
    let lab = Lab::start(&[]).await;
    let remark = |line| Annotation { path: "greet/Dockerfile".to_owned(), line, message: "COPY of nothing".to_owned() };
    let row = |name: &str, state, url: Option<&str>| FunctionState {
        name: name.parse().unwrap(),
        state,
        title: String::new(),
        millis: Some(1500),
        url: url.map(str::to_owned),
    };
    let failed = status(STACK_CONTEXT, State::Failure, "greet: the build failed")
        .with_log("step 1\nboom\n")
        .with_annotations([remark(3)])
        .with_functions(vec![
            row("greet", State::Failure, None),
            row("count", State::Success, Some("https://alice.example.com/count")),
        ]);
    lab.told("call-1", std::slice::from_ref(&failed)).await;
    // Told twice: what came with it is not there twice.
    lab.told("call-1", std::slice::from_ref(&failed)).await;
    let run = lab.run(0);
    assert_eq!(of(&run), ("completed", Some("failure")));
    assert_eq!(run["details_url"], "https://system.example.com/dashboard/alice");
    assert_eq!(
        (&run["output"]["annotations_count"], &run["output"]["text"]),
        (&json!(1), &json!("```\nstep 1\nboom\n```"))
    );
    insta::assert_snapshot!(run["output"]["summary"].as_str().unwrap(), @r"
    [greet: the build failed](<https://system.example.com/dashboard/alice>)

    | Function | | | Time | Address |
    |---|---|---|--:|---|
    | greet | ❌ failed |  | 1.5 s |  |
    | count | ✅ live |  | 1.5 s | [https://alice.example.com/count](<https://alice.example.com/count>) |
    ");
}

#[tokio::test]
async fn after_a_restart_the_run_is_found_again() {
    let mut lab = Lab::start(&[]).await;
    lab.told("call-1", &[status("greet", State::InProgress, "building")]).await;
    lab.restart();
    lab.told("call-1", &[status("greet", State::Failure, "failed")]).await;
    assert_eq!((lab.github.runs().len(), of(&lab.run(0))), (1, ("completed", Some("failure"))));
}

#[tokio::test]
async fn ten_reports_at_once_make_one_run() {
    let lab = Lab::start(&[]).await;
    let statuses: Vec<_> = (0..10).map(|n| status("greet", State::InProgress, &format!("step {n}"))).collect();
    let sent: Vec<_> = statuses.iter().map(|status| lab.send(status)).collect();
    for (code, text) in futures_util::future::join_all(sent).await {
        assert_eq!((code, text.as_str()), super::REPORTED);
    }
    assert_eq!(lab.github.runs().len(), 1);
    assert_eq!(lab.github.calls().iter().filter(|call| *call == "POST check-runs").count(), 1);
}

#[tokio::test]
async fn a_run_that_was_deleted_is_made_anew() {
    let lab = Lab::start(&[]).await;
    lab.told("call-1", &[status("greet", State::Queued, "queued")]).await;
    lab.github.delete_runs();
    lab.told("call-1", &[status("greet", State::Success, "live")]).await;
    assert_eq!((lab.github.runs().len(), of(&lab.run(0))), (1, ("completed", Some("success"))));
}

#[tokio::test]
async fn what_comes_late_changes_nothing() {
    let mut lab = Lab::start(&[]).await;
    lab.told("call-1", &[status("greet", State::Success, "live")]).await;
    for restarted in [false, true] {
        if restarted {
            lab.restart();
        }
        for late in [State::Queued, State::InProgress, State::Neutral] {
            let (code, text) = lab.send(&status("greet", late, "late")).await;
            assert_eq!((code.as_u16(), text.as_str()), (200, "too late: something newer was said here\n"));
        }
    }
    assert_eq!((lab.github.runs().len(), of(&lab.run(0))), (1, ("completed", Some("success"))));
    assert_eq!(lab.run(0)["output"]["title"], "live");
    // The queue tried the same push again, and this time it ended otherwise.
    lab.told("call-1", &[status("greet", State::Failure, "the function does not answer")]).await;
    assert_eq!((lab.github.runs().len(), of(&lab.run(0))), (1, ("completed", Some("failure"))));
}

#[tokio::test]
async fn a_re_run_is_a_run_of_its_own_and_the_first_one_stays() {
    let lab = Lab::start(&[]).await;
    lab.told("call-1", &[status("greet", State::Failure, "failed").with_log("boom")]).await;
    let again = [State::Queued, State::InProgress, State::Success].map(|state| status("greet", state, "again"));
    lab.told("call-2", &again).await;
    assert_eq!(lab.github.runs().len(), 2);
    assert_eq!((of(&lab.run(0)), of(&lab.run(1))), (("completed", Some("failure")), ("completed", Some("success"))));
    assert_eq!(lab.run(0)["output"]["text"], "```\nboom\n```");
}

#[tokio::test]
async fn another_branch_is_skipped_and_takes_nothing_from_the_branch_that_is_deployed() {
    let lab = Lab::start(&[]).await;
    lab.told("call-1", &[status(STACK_CONTEXT, State::Neutral, "skipping build for refs/heads/draft")]).await;
    assert_eq!(of(&lab.run(0)), ("completed", Some("skipped")));
    lab.github.delete_runs();
    lab.told("call-2", &[status(STACK_CONTEXT, State::Success, "3 functions are live")]).await;
    let other = status(STACK_CONTEXT, State::Neutral, "skipping build for refs/heads/draft");
    let (code, text) = lab.send_in("call-3", &other).await;
    assert_eq!((code.as_u16(), text.as_str()), (200, "left as it is: another push has a result here\n"));
    assert_eq!((lab.github.runs().len(), of(&lab.run(0))), (1, ("completed", Some("success"))));
}

#[tokio::test]
async fn a_superseded_push_ends_neutral() {
    let lab = Lab::start(&[]).await;
    let superseded = status(STACK_CONTEXT, State::Neutral, "superseded by 04b8e44");
    lab.told("call-1", &[status(STACK_CONTEXT, State::Queued, "queued"), superseded]).await;
    assert_eq!(of(&lab.run(0)), ("completed", Some("neutral")));
}

#[tokio::test]
async fn another_apps_run_of_the_same_name_is_left_alone() {
    let lab = Lab::start(&[]).await;
    lab.github.add_foreign_run("greet", SHA);
    lab.told("call-1", &[status("greet", State::Neutral, "superseded")]).await;
    assert_eq!((lab.github.runs().len(), of(&lab.run(0))), (2, ("completed", Some("success"))));
    assert_eq!(lab.run(1)["_app"], 4711);
}

#[tokio::test]
async fn the_order_in_which_things_were_said_counts() {
    let mut lab = Lab::start(&[]).await;
    let at = |at, state, title: &str| sdk::status::Status { at, ..status("greet", state, title) };
    lab.told("call-1", &[at(5, State::InProgress, "2 of 3")]).await;
    assert!(lab.send(&at(4, State::InProgress, "1 of 3")).await.1.starts_with("too late"));
    lab.restart();
    assert!(lab.send(&at(3, State::Queued, "queued")).await.1.starts_with("too late"));
    assert_eq!(lab.run(0)["output"]["title"], "2 of 3");
    // What an earlier push has to say goes to its own run, whenever it comes.
    lab.told("call-2", &[at(9, State::Queued, "again")]).await;
    lab.told("call-1", &[at(7, State::Failure, "boom")]).await;
    assert_eq!((of(&lab.run(0)), of(&lab.run(1))), (("completed", Some("failure")), ("queued", None)));
}

#[tokio::test]
async fn a_push_that_the_queue_tries_again_is_a_run_of_its_own() {
    let mut lab = Lab::start(&[]).await;
    let now = || u64::try_from(chrono::Utc::now().timestamp_micros()).unwrap();
    let at = |at, state| sdk::status::Status { at, ..status("greet", state, "x") };
    let first = now() - 5_000_000;
    lab.told("call-1", &[at(first, State::InProgress), at(first + 1, State::Failure)]).await;
    for (restarted, runs) in [(false, 2), (true, 3)] {
        if restarted {
            lab.restart();
        }
        for late in [at(first, State::InProgress), at(now() + 5_000_000, State::Queued)] {
            assert!(lab.send(&late).await.1.starts_with("too late"));
        }
        // After the end, by the clock of whoever says it and by GitHub's whole seconds.
        let again = now() + 2_000_000 + 3_000_000 * runs;
        lab.told("call-1", &[at(again, State::InProgress), at(again + 1, State::Failure)]).await;
        let all = lab.github.runs();
        assert_eq!(all.len() as u64, runs);
        assert!(all.iter().all(|run| of(run) == ("completed", Some("failure"))));
    }
}
