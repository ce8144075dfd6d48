//! GitHub's published description of the routes that we call, and whether requests and answers keep to it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use jsonschema::Validator;
use serde_json::{Map, Value};

const DESCRIPTION: &str = include_str!("description.json");

/// One route as GitHub describes it.
pub(super) struct Described {
    segments: Vec<String>,
    integers: Vec<String>,
    query: Validator,
    body: Option<Validator>,
    answer: Option<Validator>,
    success: Vec<u64>,
}

/// The described route of a request, such as `POST /repos/{owner}/{repo}/check-runs`.
pub(super) fn route_of(method: &str, path: &[&str]) -> Option<(&'static str, &'static Described)> {
    let fits = |(name, route): &(&String, &Described)| name.starts_with(&format!("{method} ")) && route.fits(path);
    routes().iter().find(fits).map(|(name, route)| (name.as_str(), route))
}

#[expect(clippy::expect_used, reason = "for tests")]
fn routes() -> &'static BTreeMap<String, Described> {
    static ROUTES: OnceLock<BTreeMap<String, Described>> = OnceLock::new();
    ROUTES.get_or_init(|| {
        let all: Value = serde_json::from_str(DESCRIPTION).expect("the description is JSON");
        let routes = all["routes"].as_object().expect("the description has routes");
        routes.iter().map(|(name, route)| (name.clone(), Described::new(name, route))).collect()
    })
}

impl Described {
    #[expect(clippy::expect_used, reason = "for tests")]
    fn new(name: &str, route: &Value) -> Self {
        let compile = |schema: &Value| {
            let options = jsonschema::options().should_validate_formats(true);
            options.build(schema).expect("the description's schemas are JSON Schema")
        };
        let path = name.split_once(" /").expect("a route has a path").1;
        let parameters = route["path"].as_object().cloned().unwrap_or_default();
        let integers = parameters.iter().filter(|(_, schema)| schema["type"] == "integer");
        Self {
            segments: path.split('/').map(str::to_owned).collect(),
            integers: integers.map(|(name, _)| format!("{{{name}}}")).collect(),
            query: compile(&route["query"]),
            body: route.get("body").map(compile),
            answer: route.get("answer").map(compile),
            success: route["success"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect(),
        }
    }

    fn fits(&self, path: &[&str]) -> bool {
        let fits = |(wanted, given): (&String, &&str)| {
            let number = || given.bytes().all(|b| b.is_ascii_digit()) && !given.is_empty();
            if wanted.starts_with('{') { !self.integers.contains(wanted) || number() } else { wanted == given }
        };
        self.segments.len() == path.len() && self.segments.iter().zip(path).all(fits)
    }

    /// What is wrong with a request.
    pub(super) fn faults_of_request(&self, query: &str, body: &[u8]) -> Vec<String> {
        let mut faults = faults("a parameter", &self.query, &parameters(query));
        match (&self.body, body.is_empty()) {
            (None, true) => {}
            (None, false) => faults.push("a body where GitHub describes none".to_owned()),
            (Some(_), true) => {}
            (Some(schema), false) => match serde_json::from_slice(body) {
                Ok(body) => faults.extend(self::faults("the body", schema, &body)),
                Err(error) => faults.push(format!("the body is no JSON: {error}")),
            },
        }
        faults
    }

    /// What is wrong with a successful answer of the fake's own.
    pub(super) fn faults_of_answer(&self, status: u16, body: &Value) -> Vec<String> {
        let mut faults: Vec<_> =
            self.answer.iter().flat_map(|schema| faults("the fake's answer", schema, body)).collect();
        if !self.success.contains(&u64::from(status)) {
            faults.push(format!("GitHub answers no {status} here"));
        }
        faults
    }
}

fn faults(what: &str, schema: &Validator, value: &Value) -> Vec<String> {
    schema.iter_errors(value).map(|error| format!("{what} at '{}': {error}", error.instance_path())).collect()
}

/// A query's parameters; numbers as numbers, as the description wants them.
fn parameters(query: &str) -> Value {
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    let value = |text: &str| text.parse::<u64>().map_or_else(|_| text.into(), Value::from);
    // Names and commits may consist of digits.
    let value = |name: &str, text: &str| match name {
        "per_page" | "page" | "app_id" => value(text),
        _ => text.into(),
    };
    Value::Object(pairs.map(|(name, text)| (name.to_string(), value(&name, &text))).collect::<Map<_, _>>())
}
