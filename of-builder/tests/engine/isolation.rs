//! What a hostile Dockerfile must not get from the machine that builds it.

use of_builder::Status;

use crate::harness::{BASE, Builder, Image, archive, last, lines};

#[tokio::test]
async fn steps_see_a_bridge_and_not_the_hosts_network() {
    let (builder, image) = (Builder::start(&[]).await, Image::new());
    let unique = uuid::Uuid::new_v4();
    let dockerfile =
        format!("FROM {BASE}\nRUN echo {unique}; cut -d: -f1 -s /proc/net/dev | tr -d ' ' | sort | tr '\\n' ','\n");
    let reports = builder.build(archive(image.order(), &dockerfile, &[])).await;
    assert_eq!(last(&reports).status, Status::Success, "{:?}", last(&reports));
    assert!(lines(&reports).iter().any(|line| line.trim() == "eth0,lo,"), "{:?}", lines(&reports));
}

#[tokio::test]
async fn the_hosts_network_and_privileges_cannot_be_asked_for() {
    let (builder, image) = (Builder::start(&[]).await, Image::new());
    for flag in ["--network=host", "--security=insecure"] {
        let unique = uuid::Uuid::new_v4();
        let dockerfile = format!("FROM {BASE}\nRUN {flag} echo {unique}\n");
        let reports = builder.build(archive(image.order(), &dockerfile, &[])).await;
        assert_eq!(last(&reports).status, Status::Failed, "{flag}: {:?}", lines(&reports));
    }
}

#[tokio::test]
async fn steps_have_no_more_than_a_containers_capabilities() {
    let (builder, image) = (Builder::start(&[]).await, Image::new());
    let unique = uuid::Uuid::new_v4();
    let dockerfile = format!("FROM {BASE}\nRUN echo {unique}; ! mount -t tmpfs none /mnt && echo confined\n");
    let reports = builder.build(archive(image.order(), &dockerfile, &[])).await;
    assert!(lines(&reports).contains(&"  confined".to_owned()), "{:?}", lines(&reports));
}

#[tokio::test]
async fn a_cache_mount_is_shared_by_one_owners_builds_and_by_nobody_elses() {
    let builder = Builder::start(&[]).await;
    let unique = uuid::Uuid::new_v4().simple().to_string();
    let owner = |name: &str| format!("of-builder-test-{name}-{unique}");
    let step = |id: &str, command: &str| {
        format!("FROM {BASE}\nRUN --mount=type=cache,id={id},target=/kept {command} # {}\n", uuid::Uuid::new_v4())
    };
    let read = "if [ -e /kept/planted ]; then echo found it; else echo nothing there; fi";
    let (alices, again, bobs) =
        (Image::below(&owner("alice")), Image::below(&owner("alice")), Image::below(&owner("bob")));
    builder.build(archive(alices.order(), &step(&unique, "touch /kept/planted"), &[])).await;
    let own = builder.build(archive(again.order(), &step(&unique, read), &[])).await;
    assert!(lines(&own).contains(&"  found it".to_owned()), "{:?}", lines(&own));
    for id in [unique.clone(), format!("../{}/{unique}", owner("alice")), format!("{}/{unique}", owner("alice"))] {
        let others = builder.build(archive(bobs.order(), &step(&id, read), &[])).await;
        assert!(lines(&others).contains(&"  nothing there".to_owned()), "{id}: {:?}", lines(&others));
    }
}
