//! `/openapi.json`: the description of the whole interface. The management routes are made from their descriptions
//! (`#[utoipa::path]` on each handler), so a route that is not described does not exist. What all routes have in
//! common is added here: credentials, refusals as sentences, limits.

mod invocation;

use std::sync::OnceLock;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use utoipa::ToSchema;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::{AdditionalProperties, ComponentsBuilder, Object, Schema};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Content, Deprecated, Info, License, OpenApi, OpenApiBuilder, RefOr, Response as Answer, ServerBuilder, Type,
};

use crate::rollout::MAX_REPLICAS;
use crate::routes;
use crate::system::{MAX_BODY, MAX_SECRET_BODY};

const TITLE: &str = "of-gateway";
const BASIC: &str = "basicAuth";
const PLAIN: &str = "text/plain";
/// What becomes part of an environment ends at a null character.
const NO_NULL: &str = "^[^\\x00]*$";
const INTRODUCTION: &str = "\
An OpenFaaS gateway for one machine.

Functions are called at `/function/NAME` and `/async-function/NAME`, without credentials. `/system/*` asks for basic \
auth. A function lives in a namespace: it is called `name.namespace`, or `name` in the default one.

A refusal is a sentence as plain text that says what to do. Members of a JSON body that are not known are passed over, \
`null` counts as absent, and the content type of a request does not matter.

Figures for Prometheus are not here but at `/metrics` on a port of their own.";

/// A switch in a query.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "what a query may say, for its description; it is read as text")]
pub(crate) enum Flag {
    #[schema(rename = "true")]
    True,
    #[schema(rename = "false")]
    False,
    #[schema(rename = "1")]
    One,
    #[schema(rename = "0")]
    Zero,
}

/// Describe this interface.
///
/// It asks for no credentials: it says what is in the documentation anyway, and nothing of what is deployed.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "GetDescription",
    tag = "internal",
    responses((status = 200, description = "This description.", body = utoipa::openapi::Object))
)]
pub(crate) async fn serve() -> Response {
    static DESCRIPTION: OnceLock<Bytes> = OnceLock::new();
    let json = DESCRIPTION.get_or_init(|| serde_json::to_vec(&routes::described()).unwrap_or_default().into());
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], json.clone()).into_response()
}

/// The description without routes.
pub(crate) fn frame() -> OpenApi {
    let mut info = Info::new(TITLE, env!("CARGO_PKG_VERSION"));
    info.description = Some(INTRODUCTION.to_owned());
    info.license = Some(License::new(env!("CARGO_PKG_LICENSE")));
    let tag = |name: &str, text: &str| TagBuilder::new().name(name).description(Some(text)).build();
    let security = SecurityScheme::Http(Http::new(HttpAuthScheme::Basic));
    OpenApiBuilder::new()
        .info(info)
        .servers(Some([ServerBuilder::new().url("/").description(Some("The gateway that served this.")).build()]))
        .tags(Some([
            tag("system", "Managing functions, secrets and namespaces."),
            tag("function", "Calling functions."),
            tag("internal", "For machines that watch over the gateway."),
        ]))
        .components(Some(ComponentsBuilder::new().security_scheme(BASIC, security).build()))
        .build()
}

/// Adds what the routes have in common, and those that no router knows.
pub(crate) fn complete(api: &mut OpenApi) {
    for (path, item) in &mut api.paths.paths {
        let managed = path.starts_with("/system/");
        for operation in operations(item) {
            if managed {
                require_credentials(operation);
            }
            if operation.request_body.is_some() {
                let most = if path == "/system/secrets" { MAX_SECRET_BODY } else { MAX_BODY };
                let sentence = format!("The body is larger than {most} bytes.");
                operation.responses.responses.insert("413".to_owned(), Answer::new(sentence).into());
            }
            refuse_in_plain_text(operation);
        }
    }
    if let Some(components) = &mut api.components {
        complete_schemas(components);
    }
    invocation::describe(&mut api.paths);
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete].into_iter().flatten()
}

fn require_credentials(operation: &mut Operation) {
    operation.security = Some(vec![SecurityRequirement::new(BASIC, Vec::<String>::new())]);
    let sentence = "The name or the password is wrong or missing.";
    operation.responses.responses.insert("401".to_owned(), Answer::new(sentence).into());
}

fn refuse_in_plain_text(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && status.as_str() >= "400"
        {
            response.content.insert(PLAIN.to_owned(), text().into());
        }
    }
}

fn text() -> Content {
    Content::new(Some(Object::with_type(Type::String)))
}

/// What the types themselves cannot say.
fn complete_schemas(components: &mut utoipa::openapi::Components) {
    if let Some(replicas) = property(components, "ScaleServiceRequest", "replicas") {
        replicas.maximum = Some(utoipa::Number::UInt(usize::try_from(MAX_REPLICAS).unwrap_or(usize::MAX)));
    }
    if let Some(variables) = property(components, "FunctionDeployment", "envVars") {
        variables.property_names = Some(Box::new(Schema::Object(matching("^[^=\\x00]+$"))));
        let value = RefOr::T(Schema::Object(matching(NO_NULL)));
        variables.additional_properties = Some(Box::new(AdditionalProperties::RefOr(value)));
    }
    if let Some(process) = property(components, "FunctionDeployment", "envProcess") {
        process.pattern = Some(NO_NULL.to_owned());
    }
    if let Some(RefOr::T(Schema::Object(deployment))) = components.schemas.get_mut("FunctionDeployment") {
        // Clients of the first years still send them.
        for name in ["registryAuth", "network"] {
            let mut ignored = Object::default();
            ignored.schema_type = utoipa::openapi::schema::SchemaType::AnyValue;
            ignored.description = Some("Has no effect.".to_owned());
            ignored.deprecated = Some(Deprecated::True);
            deployment.properties.insert(name.to_owned(), RefOr::T(Schema::Object(ignored)));
        }
    }
}

fn matching(pattern: &str) -> Object {
    let mut text = Object::with_type(Type::String);
    text.pattern = Some(pattern.to_owned());
    text
}

fn property<'a>(
    components: &'a mut utoipa::openapi::Components,
    schema: &str,
    property: &str,
) -> Option<&'a mut Object> {
    let RefOr::T(Schema::Object(object)) = components.schemas.get_mut(schema)? else { return None };
    let RefOr::T(Schema::Object(property)) = object.properties.get_mut(property)? else { return None };
    Some(property)
}
