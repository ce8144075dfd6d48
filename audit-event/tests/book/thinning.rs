//! How much stays.

use std::path::Path;

use crate::client::{Client, event};

/// As many as that cannot be kept one by one in a test: they are put into the place.
const BEFORE: u64 = 1300;

fn fill(place: &Path) {
    std::fs::create_dir_all(place).unwrap();
    for at in 1..=BEFORE {
        let name = format!("{:013}.{at:016x}.shop", 9_999_999_999_999 - at);
        std::fs::write(place.join(name), serde_json::to_vec(&event(7, at)).unwrap()).unwrap();
    }
}

fn count(place: &Path) -> usize {
    std::fs::read_dir(place).unwrap().count()
}

#[tokio::test]
async fn each_owners_newest_thousand_stay() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::new(&[("audit_directory", folder.path().to_str().unwrap())]);
    let place = folder.path().join("_audit/github.com/7");
    fill(&place);
    client.keep(&event(8, 1)).await;
    let all = client.all(7, 100).await;
    assert_eq!((all.len(), all[0].at, all[999].at), (1000, Some(BEFORE), Some(BEFORE - 999)));
    let mut at = BEFORE;
    while count(&place) > 1000 {
        at += 1;
        assert!(at < BEFORE + 2000, "{} stay", count(&place));
        client.keep(&event(7, at)).await;
    }
    let all = client.all(7, 100).await;
    assert_eq!((all.len(), all[0].at, all[999].at), (1000, Some(at), Some(at - 999)));
    assert_eq!(client.all(8, 100).await.len(), 1, "another owner's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_is_kept_whole() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::new(&[("audit_directory", folder.path().to_str().unwrap())]);
    fill(&folder.path().join("_audit/github.com/7"));
    let begin = std::time::Instant::now();
    let burst: Vec<_> = (1..=300)
        .map(|number| {
            let client = client.clone();
            tokio::spawn(async move { client.report(&event(7, BEFORE + number)).await })
        })
        .collect();
    for answer in burst {
        assert_eq!(answer.await.unwrap(), 200);
    }
    println!("300 events at once: {:?}", begin.elapsed());
    let newest: Vec<_> = client.all(7, 100).await.into_iter().take(300).filter_map(|event| event.at).collect();
    assert_eq!(newest, (BEFORE + 1..=BEFORE + 300).rev().collect::<Vec<_>>());
    assert!(count(&folder.path().join("_audit/github.com/7")) < 1000 + 600, "nothing was thinned out");
}
