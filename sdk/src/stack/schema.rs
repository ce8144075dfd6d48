//! The YAML of a stack file, before its values are judged.
//!
//! Functions are read by hand-written visitors, because derived ones either refuse unknown keys or lose the
//! places and the spelling (`1.50`, `yes`) of the values.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_saphyr::{Location, Spanned};

use super::error::{Position, StackError};
use super::sentence;
use super::substitute::Substituted;

/// A scalar as text; what is left empty is the empty text, as in faas-cli.
#[derive(Debug, Default, Clone)]
pub(super) struct Text(pub(super) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Option::<String>::deserialize(deserializer)?.unwrap_or_default()))
    }
}

/// A key or value that is ignored, and where it stands.
pub(super) type Unknown = (String, Location);
type TextMap = Option<BTreeMap<String, Text>>;
type TextList = Option<Vec<Text>>;

#[derive(Debug, Default)]
pub(super) struct RawStack {
    pub(super) version: Option<Text>,
    pub(super) provider: Option<RawProvider>,
    pub(super) functions: RawFunctions,
    pub(super) configuration: Option<RawConfiguration>,
    pub(super) unknown: Vec<Unknown>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct RawProvider {
    #[serde(default)]
    pub(super) name: Text,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct RawConfiguration {
    #[serde(default)]
    pub(super) templates: Option<Vec<RawTemplate>>,
    #[serde(default)]
    pub(super) copy: TextList,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct RawTemplate {
    #[serde(default)]
    pub(super) name: Text,
    #[serde(default)]
    pub(super) source: Text,
}

#[derive(Debug, Default)]
pub(super) struct RawFunctions(pub(super) Vec<(Spanned<String>, RawFunction)>);

#[derive(Debug, Default)]
pub(super) struct RawFunction {
    pub(super) lang: Text,
    pub(super) handler: Text,
    pub(super) image: Text,
    pub(super) fprocess: Text,
    pub(super) environment: TextMap,
    pub(super) environment_file: TextList,
    pub(super) secrets: TextList,
    pub(super) labels: TextMap,
    pub(super) annotations: TextMap,
    pub(super) limits: Option<RawResources>,
    pub(super) requests: Option<RawResources>,
    pub(super) readonly_root_filesystem: Option<bool>,
    pub(super) skip_build: Option<bool>,
    pub(super) build_args: TextMap,
    pub(super) build_options: TextList,
    pub(super) namespace: Text,
    pub(super) build_secrets: RawBuildSecrets,
    pub(super) unknown: Vec<Unknown>,
}

/// `build_secrets`, each entry with the places of its id and its value.
#[derive(Debug, Default)]
pub(super) struct RawBuildSecrets(pub(super) Vec<(Spanned<String>, Spanned<Text>)>);

#[derive(Debug, Default, Deserialize)]
pub(super) struct RawResources {
    #[serde(default)]
    pub(super) memory: Text,
    #[serde(default)]
    pub(super) cpu: Text,
}

/// Declares a mapping whose unknown keys are kept with their places.
macro_rules! lenient_mapping {
    ($type:ident, $what:literal, [$($field:ident),+ $(,)?]) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Mapping;
                impl<'de> Visitor<'de> for Mapping {
                    type Value = $type;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($what)
                    }

                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<$type, A::Error> {
                        let mut read = $type::default();
                        while let Some(key) = map.next_key::<Spanned<String>>()? {
                            match key.value.as_str() {
                                $(stringify!($field) => read.$field = map.next_value()?,)+
                                _ => {
                                    map.next_value::<IgnoredAny>()?;
                                    read.unknown.push((key.value, key.referenced));
                                }
                            }
                        }
                        Ok(read)
                    }
                }
                deserializer.deserialize_map(Mapping)
            }
        }
    };
}

lenient_mapping!(
    RawStack,
    "a stack file: a mapping with 'provider' and 'functions'",
    [version, provider, functions, configuration]
);
lenient_mapping!(
    RawFunction,
    "a function: a mapping with 'lang', 'handler' and 'image'",
    [
        lang,
        handler,
        image,
        fprocess,
        environment,
        environment_file,
        secrets,
        labels,
        annotations,
        limits,
        requests,
        readonly_root_filesystem,
        skip_build,
        build_args,
        build_options,
        namespace,
        build_secrets,
    ]
);

/// Declares a mapping whose entries are kept in their order, with their places.
macro_rules! ordered_mapping {
    ($type:ident, $what:literal) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct InOrder;
                impl<'de> Visitor<'de> for InOrder {
                    type Value = $type;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($what)
                    }

                    fn visit_unit<E>(self) -> Result<$type, E> {
                        Ok($type::default())
                    }

                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<$type, A::Error> {
                        let mut entries = Vec::new();
                        while let Some(entry) = map.next_entry()? {
                            entries.push(entry);
                        }
                        Ok($type(entries))
                    }
                }
                deserializer.deserialize_any(InOrder)
            }
        }
    };
}

ordered_mapping!(RawFunctions, "a mapping of function names to functions");
ordered_mapping!(RawBuildSecrets, "a mapping of ids to secrets");

/// Reads the YAML under budgets that no honest stack file reaches.
pub(super) fn read<T: serde::de::DeserializeOwned>(resolved: &Substituted<'_>) -> Result<T, StackError> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_documents: 2,
            max_depth: 32,
            max_events: 200_000,
            max_nodes: 100_000,
            max_aliases: 2_000,
            max_anchors: 2_000,
            max_total_scalar_bytes: 8 * 1024 * 1024,
            max_merge_keys: 2_000,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 200_000,
            max_replay_stack_depth: 16,
        },
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(&resolved.text, options).map_err(|error| sentence::of(&error, resolved))
}

/// The place in the file as written of a place in the resolved text.
pub(super) fn original(place: Location, resolved: &Substituted<'_>) -> Position {
    let narrow = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    resolved.original_of(narrow(place.line()), narrow(place.column()))
}
