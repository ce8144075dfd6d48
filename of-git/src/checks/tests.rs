use super::run::MAX_TEXT;
use super::*;

fn report(name: &str) -> Report {
    Report { name: Some(name.into()), ..Report::default() }
}

fn place() -> (RepoPath, CommitSha) {
    ("alice/hello".parse().unwrap(), "a".repeat(40).parse().unwrap())
}

#[tokio::test]
async fn a_run_is_made_once_and_then_changed() {
    let folder = tempfile::tempdir().unwrap();
    let checks = Checks::open(folder.path().into()).unwrap();
    let (path, sha) = place();
    let start = checks.revision();
    let mut woken = checks.changes();
    let made = checks.add(&path, &sha, report("greet")).await.unwrap();
    assert!(woken.has_changed().unwrap());
    woken.mark_unchanged();
    assert!(made.revision > start);
    let done = Report { conclusion: Some(Conclusion::Success), ..Report::default() };
    let changed = checks.update(&path, made.id, done).await.unwrap();
    assert_eq!((changed.status, changed.name.as_str()), (Progress::Completed, "greet"));
    assert!(changed.revision > made.revision && changed.completed_at.is_some());

    let again = Checks::open(folder.path().into()).unwrap();
    assert_eq!(again.list(&path, &sha).await.unwrap(), std::slice::from_ref(&changed));
    let going = Report { status: Some(Progress::Running), ..Report::default() };
    let restarted = again.update(&path, changed.id, going).await.unwrap();
    assert_eq!((restarted.conclusion, restarted.completed_at), (None, None));
}

fn status(report: Report) -> Report {
    Report { state: Some(CommitState::Pending), ..report }
}

fn queued() -> Report {
    let output = Output { title: Some("queued".into()), ..Output::default() };
    Report { status: Some(Progress::Queued), output: Some(output), ..report("greet") }
}

#[tokio::test]
async fn a_late_queued_does_not_hide_how_a_commit_ended() {
    let folder = tempfile::tempdir().unwrap();
    let checks = Checks::open(folder.path().into()).unwrap();
    let (path, sha) = place();
    for conclusion in [Conclusion::Success, Conclusion::Failure] {
        let ended =
            checks.put(&path, &sha, status(Report { conclusion: Some(conclusion), ..report("greet") })).await.unwrap();
        let changes = checks.changes();
        assert_eq!(checks.update(&path, ended.id, queued()).await.unwrap(), ended);
        assert_eq!(checks.put(&path, &sha, status(queued())).await.unwrap(), ended);
        assert_eq!(checks.list(&path, &sha).await.unwrap(), std::slice::from_ref(&ended));
        assert!(!changes.has_changed().unwrap(), "nobody is told of it");
        let going = status(Report { status: Some(Progress::Running), ..report("greet") });
        let again = checks.update(&path, ended.id, going).await.unwrap();
        assert_eq!((again.status, again.conclusion), (Progress::Running, None), "it is carried out again");
    }
}

#[tokio::test]
async fn a_commit_that_was_of_no_matter_may_be_queued_for_another_branch() {
    let folder = tempfile::tempdir().unwrap();
    let checks = Checks::open(folder.path().into()).unwrap();
    let (path, sha) = place();
    let skipped = Report { conclusion: Some(Conclusion::Neutral), ..report("greet") };
    let skipped = checks.add(&path, &sha, skipped).await.unwrap();
    let run = checks.update(&path, skipped.id, queued()).await.unwrap();
    assert_eq!((run.status, run.conclusion, run.output.title.as_deref()), (Progress::Queued, None, Some("queued")));
    assert!(run.revision > skipped.revision);
}

#[tokio::test]
async fn what_somebody_asked_for_again_may_be_queued() {
    let folder = tempfile::tempdir().unwrap();
    let checks = Checks::open(folder.path().into()).unwrap();
    let (path, sha) = place();
    let ended = Report { conclusion: Some(Conclusion::Success), ..report("greet") };
    let (one, two) =
        (checks.add(&path, &sha, ended.clone()).await.unwrap(), checks.add(&path, &sha, ended).await.unwrap());
    checks.rerun(&path, &sha, Some(one.id)).await.unwrap();
    assert_eq!(checks.find(&path, one.id).await.unwrap().status, Progress::Completed, "nothing happened yet");
    assert_eq!(checks.update(&path, one.id, queued()).await.unwrap().status, Progress::Queued);
    assert_eq!(checks.update(&path, two.id, queued()).await.unwrap(), two);
    checks.rerun(&path, &sha, None).await.unwrap();
    assert_eq!(checks.update(&path, two.id, queued()).await.unwrap().conclusion, None);
    let nothing = "b".repeat(40).parse().unwrap();
    checks.rerun(&path, &nothing, None).await.unwrap();
}

fn remark(line: u32) -> Annotation {
    serde_json::from_value(serde_json::json!({
        "path": "a/Dockerfile", "start_line": line, "end_line": line, "annotation_level": "failure",
        "message": "x".repeat(5000),
    }))
    .unwrap()
}

#[tokio::test]
async fn annotations_are_added_and_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let checks = Checks::open(folder.path().into()).unwrap();
    let (path, sha) = place();
    let with = |count: u32| Report {
        output: Some(Output { annotations: (1..=count).map(remark).collect(), ..Output::default() }),
        ..report("greet")
    };
    assert!(matches!(checks.add(&path, &sha, with(51)).await, Err(CheckError::Annotations)));
    let made = checks.add(&path, &sha, with(2)).await.unwrap();
    assert!(made.output.annotations[0].message.len() < 5000);
    assert_eq!(checks.update(&path, made.id, with(1)).await.unwrap().output.annotations.len(), 3);
    for _ in 0..5 {
        checks.update(&path, made.id, with(50)).await.unwrap();
    }
    assert_eq!(checks.find(&path, made.id).await.unwrap().output.annotations.len(), 200);
}

#[tokio::test]
async fn a_repository_s_reports_move_and_go_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let checks = Checks::open(folder.path().into()).unwrap();
    let ((path, sha), new) = (place(), "alice/other".parse().unwrap());
    checks.add(&path, &sha, report("greet")).await.unwrap();
    checks.rename(&path, &new).await.unwrap();
    assert_eq!((checks.list(&path, &sha).await.unwrap().len(), checks.list(&new, &sha).await.unwrap().len()), (0, 1));
    checks.remove(&new).await.unwrap();
    checks.remove(&new).await.unwrap();
    assert!(checks.list(&new, &sha).await.unwrap().is_empty());
}

#[tokio::test]
async fn putting_twice_keeps_one() {
    let folder = tempfile::tempdir().unwrap();
    let checks = Checks::open(folder.path().into()).unwrap();
    let (path, sha) = place();
    let status = || Report { state: Some(CommitState::Pending), ..report("greet") };
    let first = checks.put(&path, &sha, status()).await.unwrap();
    let second = checks.put(&path, &sha, status()).await.unwrap();
    assert_eq!(first.id, second.id);
    checks.add(&path, &sha, report("greet")).await.unwrap();
    assert_eq!(checks.put(&path, &sha, status()).await.unwrap().id, first.id, "a check run of that name is another");
    assert_eq!(checks.list(&path, &sha).await.unwrap().len(), 2);
}

#[tokio::test]
async fn wrong_reports_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let checks = Checks::open(folder.path().into()).unwrap();
    let (path, sha) = place();
    assert!(matches!(checks.add(&path, &sha, report(" ")).await, Err(CheckError::Nameless)));
    assert!(matches!(checks.update(&path, 5, report("x")).await, Err(CheckError::Unknown(5))));
    let made = checks.add(&path, &sha, report("x")).await.unwrap();
    let other = "bob/hello".parse().unwrap();
    assert!(matches!(checks.update(&other, made.id, report("x")).await, Err(CheckError::Unknown(_))));
}

#[tokio::test]
async fn texts_and_commits_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let checks = Checks::open(folder.path().into()).unwrap();
    let (path, sha) = place();
    let long =
        Output {
            title: Some("ü".repeat(2000)), text: Some(format!("{}end", "x".repeat(70_000))), ..Output::default()
        };
    let run = checks.add(&path, &sha, Report { output: Some(long), ..report("greet") }).await.unwrap();
    let text = run.output.text.unwrap();
    assert!(text.len() <= MAX_TEXT && text.ends_with("end"));
    assert!(run.output.title.unwrap().len() <= MAX_TITLE);
    for number in 0..MAX_COMMITS + 3 {
        let sha = format!("{number:040x}").parse().unwrap();
        checks.add(&path, &sha, report("greet")).await.unwrap();
    }
    assert_eq!(commits(&checks.folder(&path)).unwrap().len(), MAX_COMMITS);
}
