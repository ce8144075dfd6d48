//! What is deployed after a push, and whether that is what the push asked for.

use std::collections::BTreeMap;

use anyhow::Context;
use sdk::id::ServiceName;
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::site::Site;
use crate::report::Trouble;
use crate::secrets::{GIT_TOKEN_KEY, Secrets};

/// What a check run says; the rest of GitHub's object is of no matter here.
#[derive(Debug, Clone, Deserialize)]
struct Check {
    name: String,
    conclusion: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Checks {
    check_runs: Vec<Check>,
}

/// The images that are live, by the function's name in stack.yml, and the checks of the commit.
#[derive(Debug)]
pub(super) struct Deployed {
    images: BTreeMap<String, String>,
    checks: Vec<Check>,
}

impl Deployed {
    pub(super) async fn look(site: &Site, sha: String) -> anyhow::Result<Self> {
        let checks = checks(site, &sha).await.context("the checks of the commit cannot be read")?;
        let owner = &site.repository().owner;
        let mut images = BTreeMap::new();
        for function in site.gateway()?.list().await? {
            let own = function.name.strip_prefix(owner.as_str()).and_then(|name| name.strip_prefix('-'));
            if let Some(name) = own.filter(|_| function.available_replicas > 0) {
                images.insert(name.to_owned(), function.image.clone());
            }
        }
        Ok(Self { images, checks })
    }

    /// Every function is live, from an image named by digest, and has a good check.
    pub(super) fn expect_all_live(&self, functions: &[&str]) -> anyhow::Result<()> {
        for name in functions {
            let image = self.images.get(*name).ok_or_else(|| Trouble::new(format!("{name} is not live")))?;
            if !image.contains("sha256:") {
                return Err(Trouble::new(format!("{name} runs from {image}, which names no digest")).into());
            }
            let passed = |check: &Check| check.name == *name && check.conclusion.as_deref() == Some("success");
            if !self.checks.iter().any(passed) {
                return Err(Trouble::new(format!("the check of {name} is not green")).into());
            }
        }
        Ok(())
    }

    /// One function has a new image, and every other the one it had.
    pub(super) fn expect_only_changed(&self, before: &Self, changed: &str) -> anyhow::Result<String> {
        let functions: Vec<&str> = before.images.keys().map(String::as_str).collect();
        self.expect_all_live(&functions)?;
        let differs = |name: &&str| self.images.get(*name) != before.images.get(*name);
        let rebuilt: Vec<&str> = functions.iter().copied().filter(|name| differs(name)).collect();
        if rebuilt != [changed] {
            let rebuilt = if rebuilt.is_empty() { "nothing".to_owned() } else { rebuilt.join(", ") };
            return Err(Trouble::new(format!("only {changed} should have a new image, but {rebuilt} has")).into());
        }
        let rest: Vec<&str> = functions.into_iter().filter(|name| *name != changed).collect();
        Ok(format!("Only {changed} has a new image; {} run on from the same ones.", rest.join(" and ")))
    }
}

async fn checks(site: &Site, sha: &str) -> anyhow::Result<Vec<Check>> {
    // The router does not lead to the git host's REST interface.
    let git = site.record().own_git()?;
    let key = Secrets::existing(site.data().secrets()).get(GIT_TOKEN_KEY)?;
    let token = of_git::token(&key, &site.repository().owner);
    let url = format!("http://{git}/api/v3/repos/{}/commits/{sha}/check-runs", site.repository());
    let request = sdk::http::client().get(url).bearer_auth(token.expose_secret());
    let answer = request.send().await?.error_for_status()?.bytes().await?;
    Ok(serde_json::from_slice::<Checks>(&answer)?.check_runs)
}

/// The gateway's name of a function.
pub(super) fn service(site: &Site, function: &str) -> anyhow::Result<ServiceName> {
    Ok(ServiceName::of(&site.repository().owner, &function.parse()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployed(images: &[(&str, &str)]) -> Deployed {
        Deployed {
            images: images.iter().map(|(name, image)| ((*name).into(), format!("x@sha256:{image}"))).collect(),
            checks: ["count", "greet"]
                .map(|name| Check { name: name.into(), conclusion: Some("success".into()) })
                .into(),
        }
    }

    #[test]
    fn exactly_one_new_image_is_right() {
        let before = deployed(&[("count", "1"), ("greet", "1")]);
        let good = deployed(&[("count", "2"), ("greet", "1")]);
        assert!(good.expect_only_changed(&before, "count").unwrap().starts_with("Only count"));
        for images in
            [[("count", "1"), ("greet", "1")], [("count", "2"), ("greet", "2")], [("count", "1"), ("greet", "2")]]
        {
            assert!(deployed(&images).expect_only_changed(&before, "count").is_err(), "{images:?}");
        }
    }

    #[test]
    fn a_missing_function_and_a_red_check_are_told() {
        let mut now = deployed(&[("count", "1")]);
        assert_eq!(now.expect_all_live(&["greet"]).unwrap_err().to_string(), "greet is not live");
        now.checks[0].conclusion = Some("failure".into());
        assert_eq!(now.expect_all_live(&["count"]).unwrap_err().to_string(), "the check of count is not green");
    }
}
