//! The routes of the calls themselves. They are told apart by their prefix before any router is asked (see
//! [`crate::routes`]), so they are described by hand.

use utoipa::openapi::path::{
    HttpMethod, Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathItem, Paths,
};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Content, HeaderBuilder, Object, Required, Type};

use super::{BASIC, PLAIN, text};

/// What a function can be called with, and how that is named.
const METHODS: [(HttpMethod, &str); 7] = [
    (HttpMethod::Post, ""),
    (HttpMethod::Get, "WithGet"),
    (HttpMethod::Head, "WithHead"),
    (HttpMethod::Put, "WithPut"),
    (HttpMethod::Patch, "WithPatch"),
    (HttpMethod::Delete, "WithDelete"),
    (HttpMethod::Options, "WithOptions"),
];
const ANYTHING: &str = "*/*";

/// Adds the routes of the calls.
pub(super) fn describe(paths: &mut Paths) {
    for namespaced in [false, true] {
        let (target, suffix) =
            if namespaced { ("{functionName}.{namespace}", "Namespaced") } else { ("{functionName}", "") };
        let mut calls = PathItem::default();
        for (method, with) in METHODS {
            let id = format!("InvokeFunction{suffix}{with}");
            calls.merge_operations(PathItem::new(method, call(id, namespaced)));
        }
        paths.paths.insert(format!("/function/{target}"), calls);
        let mut queued = PathItem::new(HttpMethod::Post, queued_call(format!("InvokeAsync{suffix}"), namespaced));
        queued.merge_operations(PathItem::new(HttpMethod::Delete, cancel(format!("CancelAsync{suffix}"), namespaced)));
        paths.paths.insert(format!("/async-function/{target}"), queued);
    }
}

fn call(id: String, namespaced: bool) -> Operation {
    let answer = ResponseBuilder::new().description("Whatever the function answers.").content(ANYTHING, anything());
    let operation = OperationBuilder::new()
        .summary(Some("Call a function."))
        .description(Some(
            "Further segments of the path and the query are passed on, and so are the headers. The function answers.",
        ))
        .response("default", answer)
        .response("404", sentence("The function is not deployed."))
        .response("408", sentence("The body did not come to its end in time."))
        .response("413", sentence("The body is larger than `max_body_bytes`."))
        .response("429", sentence("All replicas have as many requests in flight as they take."))
        .response("502", sentence("The function gave no answer, or not in time."))
        .response("503", sentence("No replica is ready, or it is not known yet whether the function is deployed."));
    of_function(operation, id, namespaced).build()
}

fn queued_call(id: String, namespaced: bool) -> Operation {
    let header =
        |text: &str| HeaderBuilder::new().schema(Some(Object::with_type(Type::String))).description(Some(text)).build();
    let accepted = ResponseBuilder::new()
        .description("The call is on the disk, and will be made.")
        .header("X-Call-Id", header("The call's id, also given to the function and to the callback."))
        .header("X-Start-Time", header("When it came in, in nanoseconds since 1970."));
    let callback = ParameterBuilder::new()
        .name("X-Callback-Url")
        .parameter_in(ParameterIn::Header)
        .description(Some("Where the function's answer is posted to."))
        .schema(Some(Object::with_type(Type::String)));
    let operation = OperationBuilder::new()
        .summary(Some("Queue a call to a function."))
        .description(Some("Further segments of the path and the query are passed on, and so are the headers."))
        .parameter(callback)
        .response("202", accepted)
        .response("400", sentence("The address for the callback, or another header, is not valid."))
        .response("404", sentence("The function is not deployed."))
        .response("408", sentence("The body did not come to its end in time."))
        .response("413", sentence("The body is larger than `max_async_body_bytes`."))
        .response(
            "503",
            sentence("The queue is full or cannot be written, or whether the function is deployed is not known yet."),
        );
    of_function(operation, id, namespaced).build()
}

/// A call's id stands where a function's name does, and `OpenAPI` knows one name for one place.
fn cancel(id: String, namespaced: bool) -> Operation {
    let operation = OperationBuilder::new()
        .operation_id(Some(id))
        .tag("function")
        .summary(Some("Take a queued call back."))
        .description(Some(
            "Here the path names the call by its id. Calls with this id that wait are removed, and one that runs is \
             told to stop. It asks for credentials, because the ids are in logs and are chosen by callers.",
        ))
        .parameter(path("functionName", "The call's id."))
        .security(SecurityRequirement::new(BASIC, Vec::<String>::new()))
        .response("202", sentence("What became of it; a call that is not there has ended, or never was."))
        .response("401", sentence("The name or the password is wrong or missing."))
        .response("503", sentence("The queue does not answer."));
    let rest = path("namespace", "What follows the last dot of an id that has one.");
    if namespaced { operation.parameter(rest) } else { operation }.build()
}

fn of_function(operation: OperationBuilder, id: String, namespaced: bool) -> OperationBuilder {
    let function = path(
        "functionName",
        if namespaced { "The function's name." } else { "The function's name, or `name.namespace`." },
    );
    let operation = operation.operation_id(Some(id)).tag("function").request_body(Some(body())).parameter(function);
    if namespaced { operation.parameter(path("namespace", "The function's namespace.")) } else { operation }
}

fn path(name: &str, text: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(text))
        .schema(Some(Object::with_type(Type::String)))
        .build()
}

fn body() -> RequestBody {
    RequestBodyBuilder::new().description(Some("What the function gets.")).content(ANYTHING, anything()).build()
}

fn anything() -> Content {
    Content::new(None::<Object>)
}

fn sentence(meaning: &str) -> Response {
    ResponseBuilder::new().description(meaning).content(PLAIN, text()).build()
}
