//! template.yml.

use serde::Deserialize;

/// The largest template.yml in bytes.
pub(super) const MAX_BYTES: u64 = 64 * 1024;

/// What a template says about itself. Keys that matter only on a developer's machine are ignored.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Spec {
    #[serde(default)]
    pub(super) fprocess: Option<String>,
    #[serde(default)]
    pub(super) handler_folder: Option<String>,
    #[serde(default)]
    pub(super) build_options: Option<Vec<BuildOption>>,
}

/// A named list of packages.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct BuildOption {
    pub(super) name: String,
    #[serde(default)]
    pub(super) packages: Option<Vec<String>>,
}

/// Reads a template.yml; an empty one is a spec without wishes.
pub(super) fn read(text: &str) -> Result<Spec, String> {
    if text.trim().is_empty() {
        return Ok(Spec::default());
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_documents: 1, max_depth: 16, max_events: 10_000, max_aliases: 100 },
        with_snippet: false,
    };
    let spec: Option<Spec> = serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| format!("template.yml: {}", error.to_string().lines().next().unwrap_or_default()))?;
    Ok(spec.unwrap_or_default())
}
