//! What a caller asks to be built: the archive's `com.openfaas.docker.config`.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use crate::build_args::BuildArgsError;
use crate::cache_scope;
use crate::config::Config;
use crate::image_name::{ImageName, InvalidImageName};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    image: String,
    #[serde(default)]
    build_args: Option<BTreeMap<String, String>>,
    #[serde(default)]
    platforms: Option<Vec<String>>,
    #[serde(default)]
    skip_push: bool,
    #[serde(default)]
    no_cache: bool,
}

/// One build, checked against the operator's rules.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) image: ImageName,
    pub(crate) build_args: HashMap<String, String>,
    /// What makes a step that may have used secrets another one than everybody else's.
    pub(crate) steps_host: String,
    pub(crate) platforms: Vec<String>,
    pub(crate) push: bool,
    /// Nothing that an earlier build left behind is used: no image, no cached step.
    pub(crate) no_cache: bool,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum OrderError {
    #[error("com.openfaas.docker.config is not the expected JSON: {0}")]
    Json(serde_json::Error),
    #[error(transparent)]
    Image(#[from] InvalidImageName),
    #[error("the image {image} is not below {prefix}, the only place this builder pushes to")]
    Prefix { image: String, prefix: String },
    #[error(transparent)]
    BuildArgs(#[from] BuildArgsError),
    #[error("this builder builds for {engine} only, and {asked} was asked for")]
    Platform { asked: String, engine: String },
}

impl Order {
    pub(crate) fn parse(json: &[u8], config: &Config) -> Result<Self, OrderError> {
        let wire: Wire = serde_json::from_slice(json).map_err(OrderError::Json)?;
        let image: ImageName = wire.image.parse()?;
        if let Some(registry) = &config.registry
            && !registry.holds(&image)
        {
            return Err(OrderError::Prefix { image: image.to_string(), prefix: registry.prefix.clone() });
        }
        let mut build_args = config.build_args.admit(wire.build_args.unwrap_or_default())?;
        build_args.insert(cache_scope::ARGUMENT.to_owned(), cache_scope::of(&image, &config.payload_secret));
        Ok(Self {
            build_args,
            steps_host: cache_scope::host(&image, &config.payload_secret),
            platforms: wire.platforms.unwrap_or_default(),
            push: config.registry.is_some() && !wire.skip_push,
            no_cache: wire.no_cache,
            image,
        })
    }

    /// Refuses platforms that the engine cannot build for: emulation is not set up.
    pub(crate) fn check_platforms(&self, engine: &str) -> Result<(), OrderError> {
        match self.platforms.iter().find(|asked| *asked != engine) {
            Some(asked) => Err(OrderError::Platform {
                asked: asked.chars().filter(|c| !c.is_control()).take(64).collect(),
                engine: engine.to_owned(),
            }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use sdk::Env;

    use super::*;

    fn config(vars: &[(&str, &str)]) -> Config {
        Config::from_env(&Env::from_map(vars.iter().copied(), [("payload-secret", "k")])).unwrap()
    }

    #[test]
    fn the_whole_form_is_read() {
        let config = config(&[("registry_prefix", "registry.local:5000/users"), ("build_args", "A")]);
        let json =
            br#"{"image":"registry.local:5000/users/alice/x:1","buildArgs":{"A":"1"},"platforms":["linux/amd64"]}"#;
        let order = Order::parse(json, &config).unwrap();
        assert!(order.push && !order.no_cache);
        assert_eq!(order.build_args["A"], "1");
        assert!(order.check_platforms("linux/amd64").is_ok());
        let error = order.check_platforms("linux/arm64").unwrap_err();
        insta::assert_snapshot!(error, @"this builder builds for linux/arm64 only, and linux/amd64 was asked for");
    }

    #[test]
    fn without_a_registry_or_with_skip_push_nothing_is_pushed() {
        assert!(!Order::parse(br#"{"image":"a/b:1"}"#, &config(&[])).unwrap().push);
        let config = config(&[("registry_prefix", "r.local/")]);
        assert!(!Order::parse(br#"{"image":"r.local/b:1","skipPush":true}"#, &config).unwrap().push);
    }

    #[test]
    fn a_caller_may_want_nothing_of_earlier_builds() {
        assert!(Order::parse(br#"{"image":"a/b:1","noCache":true}"#, &config(&[])).unwrap().no_cache);
    }

    #[test]
    fn an_image_outside_the_prefix_is_refused() {
        let config = config(&[("registry_prefix", "r.local/users/")]);
        for image in ["debian:bookworm-slim", "r.local/usersx/a", "r.local/users", "other.local/users/a"] {
            let json = format!(r#"{{"image":"{image}"}}"#);
            assert!(matches!(Order::parse(json.as_bytes(), &config), Err(OrderError::Prefix { .. })), "{image}");
        }
    }

    #[test]
    fn what_is_not_the_expected_json_is_refused() {
        for json in [&b""[..], b"[]", b"{}", br#"{"image":7}"#, br#"{"image":"a","buildArgs":{"A":1}}"#] {
            assert!(matches!(Order::parse(json, &config(&[])), Err(OrderError::Json(_))));
        }
    }
}
