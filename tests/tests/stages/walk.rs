//! From two certificates to two values that are served, and what happens to what comes to the wrong stage.

use end_to_end::{Registry, login};
use reqwest::Method;
use serde_json::json;

use crate::{Stage, payment_service};

#[test]
fn one_repository_of_code_runs_in_both_stages_with_each_stage_s_secrets() {
    let registry = Registry::start();
    let (staging, production) = (Stage::start("staging", Some(&registry)), Stage::start("production", Some(&registry)));
    let owner = login("acmeco");
    let certificates = [
        staging.certificate("/v1/cert.pem"),
        staging.certificate("/dashboard/api/pub-cert.pem"),
        production.certificate("/v1/cert.pem"),
    ];
    let texts = certificates.map(|file| std::fs::read_to_string(file).unwrap());
    assert_eq!(texts[0], texts[1]);
    assert_ne!(texts[0], texts[2], "each stage has keys of its own");

    for (stage, password) in [(&staging, "for staging"), (&production, "for production")] {
        let secrets = stage.secrets(&owner, password);
        let pushed = stage.push(&secrets);
        assert!(pushed.ok && pushed.says("imported 1 secret (2 keys)"), "{pushed}");
    }
    let code = payment_service(&owner);
    for (stage, other) in [(&staging, &production), (&production, &staging)] {
        // Both hosts get both branches, and each builds its own.
        code.commit("Change");
        let pushed = code.push_to(&stage.platform, stage.name, other.name);
        assert!(pushed.ok && !pushed.says("Deployed"), "{pushed}");
        let report = stage.platform.wait_for_end(&code, &code.head(), "neutral");
        assert!(report.to_string().contains(&format!("the build branch is {}", stage.name)), "{report}");
        code.commit("Change");
        let pushed = stage.push(&code);
        assert!(pushed.ok && pushed.says("Deployed 1 function"), "{pushed}");
        assert_eq!(stage.platform.get(&owner, "/payment").text, "paid");
    }
    assert_eq!(staging.password(&owner), "for staging");
    assert_eq!(production.password(&owner), "for production");

    images_meet_in_one_registry(&registry, &owner, &staging, &production);
    a_file_for_the_other_stage_changes_nothing(&owner, &staging, &production);
}

fn images_meet_in_one_registry(registry: &Registry, owner: &str, staging: &Stage, production: &Stage) {
    let tags = registry.tags(&format!("shared/{owner}/payment-service-payment"));
    assert_eq!(tags.len(), 2, "{tags:?}");
    assert!(tags[0].starts_with("production-") && tags[1].starts_with("staging-"), "{tags:?}");
    let service = format!("{owner}-payment");
    let image_of = |stage: &Stage| stage.platform.function(&service).unwrap()["image"].as_str().unwrap().to_owned();
    let begin = format!("{}{owner}/payment-service-payment@sha256:", registry.prefix("shared"));
    assert!(image_of(staging).starts_with(&begin) && image_of(production).starts_with(&begin), "{}", image_of(staging));

    // What was pushed there can be pulled: the engine forgets the images, and the gateway has one of them again.
    let image = image_of(staging);
    for stage in [staging, production] {
        let gone =
            stage.platform.to_gateway(Method::DELETE, "/system/functions").json(&json!({"functionName": service}));
        assert!(matches!(stage.platform.send(gone).status, 200 | 202));
        stage.platform.wait_for_containers(&[]);
    }
    let images = begin.trim_end_matches("@sha256:");
    staging.platform.engine().forget_images(images);
    assert!(!staging.platform.engine().has_image(&image));
    let deployment = json!({"service": "pulled", "image": image});
    let deployed =
        staging.platform.send(staging.platform.to_gateway(Method::POST, "/system/functions").json(&deployment));
    assert!(matches!(deployed.status, 200 | 202), "{}", deployed.text);
    assert!(staging.platform.engine().has_image(&image));
    let answer = staging.platform.send(staging.platform.to_gateway(Method::GET, "/function/pulled"));
    assert_eq!(answer.text, "paid");
    let gone =
        staging.platform.to_gateway(Method::DELETE, "/system/functions").json(&json!({"functionName": "pulled"}));
    assert!(matches!(staging.platform.send(gone).status, 200 | 202));
    staging.platform.wait_for_containers(&[]);
    staging.platform.engine().forget_images(images);
}

fn a_file_for_the_other_stage_changes_nothing(owner: &str, staging: &Stage, production: &Stage) {
    let code = payment_service(owner);
    assert!(production.push(&code).says("Deployed 1 function"));
    let before = production.platform.container(&format!("{owner}-payment"));
    let secrets = production.secrets(owner, "for production");
    staging.seal(&secrets, &staging.certificate("/v1/cert.pem"), "by mistake");
    secrets.commit("Seal for the wrong stage");
    let pushed = production.push(&secrets);
    assert!(pushed.says("secrets.yaml: ") && !pushed.output.contains("by mistake"), "{pushed}");
    let report = production.platform.wait_for_end(&secrets, &secrets.head(), "failure");
    let report = report.to_string();
    assert!(report.contains("no key of this stage opens it") && !report.contains("by mistake"), "{report}");
    assert_eq!(production.password(owner), "for production");
    assert_eq!(production.platform.container(&before.function).id, before.id, "nothing was restarted");

    production.seal(&secrets, &production.certificate("/v1/cert.pem"), "a new one");
    secrets.commit("Seal for this stage");
    let pushed = production.push(&secrets);
    assert!(pushed.ok && pushed.says("imported 1 secret (2 keys)"), "{pushed}");
    production.platform.wait_for(owner, "payment/secret/mongo-password", "a new one");
}
