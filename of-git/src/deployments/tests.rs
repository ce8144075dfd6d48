use serde_json::json;

use super::*;

fn place() -> (RepoPath, CommitSha) {
    ("alice/hello".parse().unwrap(), "a".repeat(40).parse().unwrap())
}

fn asked(body: Value) -> NewDeployment {
    serde_json::from_value(body).unwrap()
}

fn said(body: Value) -> NewDeploymentStatus {
    serde_json::from_value(body).unwrap()
}

fn store() -> (tempfile::TempDir, Deployments) {
    let folder = tempfile::tempdir().unwrap();
    let deployments = Deployments::open(folder.path().into()).unwrap();
    (folder, deployments)
}

#[tokio::test]
async fn a_deployment_is_kept_with_what_is_said_about_it() {
    let (folder, deployments) = store();
    let (path, sha) = place();
    let made = deployments.add(&path, sha.clone(), asked(json!({"ref": "main"})), Creator::Owner).await.unwrap();
    assert_eq!((made.task.as_str(), made.environment.as_str(), made.production), ("deploy", "production", true));
    assert_eq!(made.payload, json!({}));
    let going = said(json!({"state": "in_progress", "target_url": "http://log"}));
    let (_, status) = deployments.report(&path, made.id, going, Creator::App).await.unwrap();
    assert_eq!((status.state, status.log_url.as_str()), (DeploymentState::InProgress, "http://log"));
    let again = Deployments::open(folder.path().into()).unwrap();
    let kept = again.get(&path, made.id).await.unwrap();
    assert_eq!(kept.statuses, [status]);
    assert_eq!(again.list(&path).await.unwrap(), [kept]);
    assert!(matches!(again.get(&path, 5).await, Err(DeploymentError::Unknown(5))));
    let other = "bob/hello".parse().unwrap();
    assert!(matches!(again.get(&other, made.id).await, Err(DeploymentError::Unknown(_))));
}

#[tokio::test]
async fn a_success_ends_the_one_before_it_outside_of_production() {
    let (_folder, deployments) = store();
    let (path, sha) = place();
    for (environment, expected) in [("staging", DeploymentState::Inactive), ("production", DeploymentState::Success)] {
        let body = json!({"ref": "main", "environment": environment});
        let old = deployments.add(&path, sha.clone(), asked(body.clone()), Creator::App).await.unwrap();
        let success = || said(json!({"state": "success"}));
        deployments.report(&path, old.id, success(), Creator::App).await.unwrap();
        let new = deployments.add(&path, sha.clone(), asked(body), Creator::App).await.unwrap();
        deployments.report(&path, new.id, success(), Creator::App).await.unwrap();
        let last = |deployment: Deployment| deployment.statuses.last().unwrap().state;
        assert_eq!(last(deployments.get(&path, old.id).await.unwrap()), expected, "{environment}");
        assert_eq!(last(deployments.get(&path, new.id).await.unwrap()), DeploymentState::Success);
    }
}

#[tokio::test]
async fn number_and_size_are_bounded() {
    let (_folder, deployments) = store();
    let (path, sha) = place();
    let large = asked(json!({"ref": "main", "payload": {"x": "y".repeat(MAX_PAYLOAD)}}));
    let refused = deployments.add(&path, sha.clone(), large, Creator::Owner).await;
    assert!(matches!(refused, Err(DeploymentError::Payload)));
    let first = deployments.add(&path, sha.clone(), asked(json!({"ref": "main"})), Creator::Owner).await.unwrap();
    for _ in 0..MAX {
        deployments.add(&path, sha.clone(), asked(json!({"ref": "main"})), Creator::Owner).await.unwrap();
    }
    let kept = deployments.list(&path).await.unwrap();
    assert!(kept.len() == MAX && kept.iter().is_sorted_by(|a, b| a.id > b.id));
    assert!(matches!(deployments.get(&path, first.id).await, Err(DeploymentError::Unknown(_))));
    for _ in 0..MAX_STATUSES + 2 {
        let queued = said(json!({"state": "queued"}));
        deployments.report(&path, kept[0].id, queued, Creator::Owner).await.unwrap();
    }
    assert_eq!(deployments.get(&path, kept[0].id).await.unwrap().statuses.len(), MAX_STATUSES);
}

#[tokio::test]
async fn they_move_and_go_with_their_repository() {
    let (_folder, deployments) = store();
    let ((path, sha), new) = (place(), "alice/new".parse().unwrap());
    deployments.rename(&path, &new).await.unwrap();
    deployments.add(&path, sha, asked(json!({"ref": "main"})), Creator::Owner).await.unwrap();
    deployments.rename(&path, &new).await.unwrap();
    assert_eq!((deployments.list(&path).await.unwrap().len(), deployments.list(&new).await.unwrap().len()), (0, 1));
    deployments.remove(&new).await.unwrap();
    deployments.remove(&new).await.unwrap();
    assert!(deployments.list(&new).await.unwrap().is_empty());
}
