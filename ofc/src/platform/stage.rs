//! What makes an installation one stage of several: the branch that it deploys, the registry that it may share with others,
//! and how long it uses a key for sealing secrets.

use std::path::{Path, PathBuf};

use crate::config_file::{ConfigFile, Registry};
use crate::sealing::USUAL_DAYS;

/// A stage. Options of the command line go before the configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stage {
    /// The branch that is deployed; each repository's default branch where unset.
    pub(crate) build_branch: Option<String>,
    /// Where images go; they stay in the engine where unset. The file with credentials has an absolute path.
    pub(crate) registry: Option<Registry>,
    /// How long a sealing key is used, in days; 0 for ever.
    pub(crate) sealing_key_days: u32,
}

impl Stage {
    /// A stage by these options, else by the file, else as is usual.
    pub(crate) fn new(
        build_branch: Option<String>,
        registry: Option<Registry>,
        sealing_key_days: Option<u32>,
        config: Option<&ConfigFile>,
    ) -> Self {
        let of_file = || {
            let config = config?;
            let registry = config.registry.clone()?;
            let credentials = registry.credentials.as_deref().map(|file| config.at(file));
            Some(Registry { credentials, ..registry })
        };
        let days = config.and_then(|config| u32::try_from(config.sealing_key_days).ok());
        Self {
            build_branch: build_branch.or_else(|| config?.build_branch.clone()),
            registry: registry.or_else(of_file),
            sealing_key_days: sealing_key_days.or(days).unwrap_or(USUAL_DAYS),
        }
    }

    /// The variables of all parts that follow from it.
    pub(super) fn variables(&self) -> Vec<(&'static str, String)> {
        let mut all = Vec::new();
        all.extend(self.build_branch.iter().map(|branch| ("build_branch", branch.clone())));
        if let Some(registry) = &self.registry {
            let names = ["push_repository_url", "repository_url", "registry_prefix"];
            all.extend(names.map(|name| (name, registry.prefix.clone())));
        }
        all.extend(self.credentials().map(|file| ("docker_config", file.to_string_lossy().into_owned())));
        all
    }

    /// The file with the registry's credentials.
    pub(super) fn credentials(&self) -> Option<&Path> {
        self.registry.as_ref()?.credentials.as_deref()
    }
}

/// An option's registry with the file that is to have its credentials.
///
/// # Errors
/// When the working directory is gone.
pub(crate) fn registry(prefix: Option<Registry>, credentials: Option<PathBuf>) -> anyhow::Result<Option<Registry>> {
    let credentials = credentials.map(std::path::absolute).transpose()?;
    Ok(prefix.map(|registry| Registry { credentials, ..registry }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_go_before_the_file_and_the_file_before_what_is_usual() {
        assert_eq!(Stage::new(None, None, None, None).sealing_key_days, 30);
        let text = "domain: example.com\nbuild_branch: staging\nsealing_key_days: 7\nregistry:\n  prefix: ghcr.io/acme\n  credentials: docker.json\n";
        let config = ConfigFile::parse(text, "/etc/ofc".into()).unwrap();
        let stage = Stage::new(None, None, None, Some(&config));
        assert_eq!((stage.build_branch.as_deref(), stage.sealing_key_days), (Some("staging"), 7));
        assert_eq!(stage.credentials(), Some(Path::new("/etc/ofc/docker.json")));
        let variables = stage.variables();
        assert!(variables.contains(&("registry_prefix", "ghcr.io/acme/".to_owned())), "{variables:?}");
        let own = registry(Some("127.0.0.1:5000".parse().unwrap()), None).unwrap();
        let stage = Stage::new(Some("main".into()), own, Some(0), Some(&config));
        assert_eq!((stage.build_branch.as_deref(), stage.sealing_key_days), (Some("main"), 0));
        assert_eq!(
            (stage.registry.as_ref().map(|r| r.prefix.as_str()), stage.credentials()),
            (Some("127.0.0.1:5000/"), None)
        );
    }
}
