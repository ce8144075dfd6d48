//! From raw YAML values to a [`Stack`]: names, paths and combinations.

use std::collections::BTreeMap;

use super::build_secrets;
use super::error::{Position, StackError};
use super::schema::{self, RawConfiguration, RawFunction, RawResources, RawStack, Text};
use super::substitute::Substituted;
use super::{Function, Limits, Stack, TemplateSource};
use crate::context::RelPath;
use crate::gateway::Resources;
use crate::id::FunctionName;

/// The longest list of secrets, files or options of one function.
const MAX_LIST: usize = 100;

pub(super) fn check(raw: RawStack, limits: &Limits, resolved: &Substituted<'_>) -> Result<Stack, StackError> {
    check_head(&raw)?;
    let count = raw.functions.0.len();
    if count > limits.max_functions {
        return Err(StackError::TooManyFunctions { count, max: limits.max_functions });
    }
    let mut stack = Stack::default();
    for (key, place) in &raw.unknown {
        // Extension keys (`x-…`) are where anchors are kept; nobody wants to read about those.
        if !key.starts_with("x-") {
            let place = schema::original(*place, resolved);
            stack.warnings.push(format!("{place}: the key '{}' is unknown and ignored", shown(key)));
        }
    }
    configuration(raw.configuration.unwrap_or_default(), &mut stack)?;
    for (name, function) in raw.functions.0 {
        let position = schema::original(name.referenced, resolved);
        for (key, place) in &function.unknown {
            let place = schema::original(*place, resolved);
            stack.warnings.push(format!(
                "{place}: function '{}': the key '{}' is not used here",
                shown(&name.value),
                shown(key)
            ));
        }
        let refused = |position, problem| StackError::Function { position, function: shown(&name.value), problem };
        let build_secrets = build_secrets::check(&function.build_secrets)
            .map_err(|(place, problem)| refused(schema::original(place, resolved), problem))?;
        let checked = self::function(&name.value, position, function).map_err(|problem| refused(position, problem))?;
        if checked.skip_build && !build_secrets.is_empty() {
            return Err(refused(
                position,
                "'build_secrets' has no use with 'skip_build': remove one of them".to_owned(),
            ));
        }
        stack.functions.push(Function { build_secrets, ..checked });
    }
    Ok(stack)
}

fn check_head(raw: &RawStack) -> Result<(), StackError> {
    let provider = raw.provider.as_ref().map(|provider| provider.name.0.as_str()).unwrap_or_default();
    if provider != "openfaas" {
        return Err(StackError::Provider { found: shown(provider) });
    }
    match raw.version.as_ref().map(|version| version.0.as_str()) {
        None | Some("" | "1.0") => Ok(()),
        Some(other) => Err(StackError::Version { found: shown(other) }),
    }
}

fn configuration(raw: RawConfiguration, stack: &mut Stack) -> Result<(), StackError> {
    for Text(path) in raw.copy.unwrap_or_default() {
        let checked: RelPath =
            path.parse().map_err(|error| StackError::Configuration { problem: format!("copy: {error}") })?;
        if checked.is_root() {
            let problem =
                "copy: the repository itself cannot be copied into a handler; name a folder or a file".to_owned();
            return Err(StackError::Configuration { problem });
        }
        stack.copy.push(path);
    }
    for template in raw.templates.unwrap_or_default() {
        stack.templates.push(TemplateSource { name: template.name.0, source: template.source.0 });
    }
    if stack.copy.len().max(stack.templates.len()) > MAX_LIST {
        return Err(StackError::Configuration { problem: format!("more than {MAX_LIST} entries in a list") });
    }
    Ok(())
}

fn function(name: &str, position: Position, raw: RawFunction) -> Result<Function, String> {
    let name: FunctionName =
        name.parse().map_err(|_| format!("the name is not {}: rename the function", FunctionName::RULE))?;
    refuse_dangerous(&raw)?;
    let skip_build = raw.skip_build.unwrap_or(false);
    source(&raw, skip_build)?;
    Ok(Function {
        name,
        position,
        lang: raw.lang.0,
        handler: raw.handler.0,
        image: non_empty(raw.image),
        fprocess: non_empty(raw.fprocess),
        environment: variables(raw.environment)?,
        environment_files: files(raw.environment_file)?,
        secrets: secrets(raw.secrets)?,
        labels: texts(raw.labels),
        annotations: texts(raw.annotations),
        limits: raw.limits.and_then(resources),
        requests: raw.requests.and_then(resources),
        read_only_root_filesystem: raw.readonly_root_filesystem,
        skip_build,
        build_args: variables(raw.build_args)?,
        build_options: list(raw.build_options, "build_options")?,
        build_secrets: BTreeMap::new(),
    })
}

/// What would reach outside the owner's own things.
fn refuse_dangerous(raw: &RawFunction) -> Result<(), String> {
    if !raw.namespace.0.is_empty() {
        return Err("'namespace' cannot be chosen here: remove the line".to_owned());
    }
    Ok(())
}

/// Where the function's image comes from: an image, or a language and a folder.
fn source(raw: &RawFunction, skip_build: bool) -> Result<(), String> {
    if skip_build {
        return match raw.image.0.is_empty() {
            true => Err("'skip_build' needs an 'image': name one or remove 'skip_build'".to_owned()),
            false => Ok(()),
        };
    }
    if raw.lang.0.is_empty() {
        return Err("'lang' is missing: name a template".to_owned());
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@' | '/');
    let template = raw.lang.0.split('@').next().unwrap_or_default();
    if !raw.lang.0.chars().all(plain) || template.is_empty() || template.contains('/') || template.starts_with('.') {
        return Err(format!("lang '{}' is not a template's name", shown(&raw.lang.0)));
    }
    if raw.handler.0.is_empty() {
        return Err("'handler' is missing: name the folder with the function's code".to_owned());
    }
    let _: RelPath = raw.handler.0.parse().map_err(|error| format!("handler: {error}"))?;
    Ok(())
}

fn variables(map: Option<BTreeMap<String, Text>>) -> Result<BTreeMap<String, String>, String> {
    let map = texts(map);
    match map.keys().find(|name| name.is_empty() || name.contains(['=', '\0', '\n'])) {
        Some(name) => Err(format!("'{}' cannot be the name of a variable", shown(name))),
        None => Ok(map),
    }
}

fn files(paths: Option<Vec<Text>>) -> Result<Vec<String>, String> {
    let paths = list(paths, "environment_file")?;
    for path in &paths {
        let checked: RelPath = path.parse().map_err(|error| format!("environment_file: {error}"))?;
        if checked.is_root() {
            return Err(format!("environment_file: '{}' is not a file", shown(path)));
        }
    }
    Ok(paths)
}

fn secrets(names: Option<Vec<Text>>) -> Result<Vec<String>, String> {
    let names = list(names, "secrets")?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    let fits = |name: &String| {
        (1..=253).contains(&name.len())
            && name.chars().all(plain)
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
    };
    match names.iter().find(|name| !fits(name)) {
        Some(name) => {
            Err(format!("'{}' is not a secret's name: use lower-case letters, digits, '-' and '.'", shown(name)))
        }
        None => Ok(names),
    }
}

fn list(values: Option<Vec<Text>>, key: &str) -> Result<Vec<String>, String> {
    let values: Vec<String> = values.unwrap_or_default().into_iter().map(|Text(value)| value).collect();
    if values.len() > MAX_LIST {
        return Err(format!("'{key}' has {} entries and may have {MAX_LIST}", values.len()));
    }
    Ok(values)
}

fn texts(map: Option<BTreeMap<String, Text>>) -> BTreeMap<String, String> {
    map.unwrap_or_default().into_iter().map(|(key, Text(value))| (key, value)).collect()
}

fn resources(raw: RawResources) -> Option<Resources> {
    let resources = Resources { memory: raw.memory.0, cpu: raw.cpu.0 };
    (!resources.memory.is_empty() || !resources.cpu.is_empty()).then_some(resources)
}

fn non_empty(text: Text) -> Option<String> {
    Some(text.0).filter(|text| !text.is_empty())
}

/// User text for a sentence: short and without control characters.
pub(super) fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}
