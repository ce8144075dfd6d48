//! Bodies of management requests.

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use sdk::gateway::{Object, Secret};
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// The largest body of a management request.
pub(crate) const MAX_BODY: usize = 2 << 20;
/// The same for one with a secret. faas-cli sends a file twice, as text and as base64, and as text each byte may take six
/// characters: for 1 MiB a little more than 7 MiB.
pub(crate) const MAX_SECRET_BODY: usize = 8 << 20;

/// A body as JSON, whatever its content type says: clients differ there. Members that are not known are passed over.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        parse(&read(request, MAX_BODY).await?).map(Self)
    }
}

/// The same for a secret with its value.
pub(crate) struct SecretBody(pub(crate) Secret);

impl<S: Send + Sync> FromRequest<S> for SecretBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        parse(&read(request, MAX_SECRET_BODY).await?).map(Self)
    }
}

/// The same for a body that may be left out.
pub(crate) struct OptionalBody<T>(pub(crate) Option<T>);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for OptionalBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let bytes = read(request, MAX_BODY).await?;
        let nothing = matches!(bytes.trim_ascii(), b"" | b"null");
        if nothing { Ok(Self(None)) } else { parse(&bytes).map(Some).map(Self) }
    }
}

async fn read(request: Request, most: usize) -> Result<Bytes, Problem> {
    let declared = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: usize| length > most) {
        return Err(Problem::TooLarge(most));
    }
    match Limited::new(request.into_body(), most).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Problem::TooLarge(most)),
        Err(_) => Err(Problem::Invalid("the body ended before it was complete".to_owned())),
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let Object(value) = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        unexpected(Some(path).filter(|path| path != "."), &error.into_inner())
    })?;
    deserializer.end().map_err(|error| unexpected(None, &error))?;
    Ok(value)
}

fn unexpected(path: Option<String>, error: &serde_json::Error) -> Problem {
    let path = path.map(|path| format!("{path}: ")).unwrap_or_default();
    Problem::Invalid(format!("the body is not the JSON expected: {path}{}", without_value(&error.to_string())))
}

/// What was expected and where, but not what was found: it may be a secret, and this sentence goes to the log, too.
fn without_value(sentence: &str) -> &str {
    sentence.rfind("expected ").filter(|_| sentence.starts_with("invalid ")).map_or(sentence, |at| &sentence[at..])
}

#[cfg(test)]
mod tests {
    use sdk::gateway::FunctionDeployment;

    use super::*;

    fn refusal<T: DeserializeOwned>(body: &str) -> String {
        parse::<T>(body.as_bytes()).err().unwrap().to_string()
    }

    #[test]
    fn a_wrong_body_is_explained_with_its_place() {
        for (body, parts) in [
            ("{\"image\":\"x\"}", ["missing field `service`", "line 1 column 13"]),
            ("{\"service\":\"f\",\n \"image\":5}", ["image: expected a string", "line 2 column 10"]),
            ("{\"service\":\"f\",\"image\":\"x\",\"limits\":{\"memory\":[]}}", ["limits.memory", "expected a string"]),
            ("{\"service\":\"f\",\"image\":\"x\",\"limits\":[\"1Mi\"]}", ["limits", "expected an object"]),
            ("{\"service\":\"f\",\"image\":\"x\"} x", ["trailing characters", "column 29"]),
            ("{\"service\":", ["EOF", "column 11"]),
            ("[\"f\",\"x\"]", ["expected an object", ""]),
            ("", ["EOF", ""]),
        ] {
            let sentence = refusal::<FunctionDeployment>(body);
            assert!(parts.iter().all(|part| sentence.contains(part)), "{body} gives {sentence}");
        }
        let deep = format!("{{\"service\":\"f\",\"image\":\"x\",\"unknown\":{}", "[".repeat(100_000));
        assert!(refusal::<FunctionDeployment>(&deep).contains("EOF"), "a bomb is read without a bomb of our own");
    }

    #[test]
    fn a_value_is_never_repeated() {
        for body in
            ["{\"name\":\"k\",\"value\":73217}", "{\"name\":\"k\",\"value\":[\"73217\"]}", "{\"name\":{\"73217\":1}}"]
        {
            let sentence = refusal::<Secret>(body);
            assert!(!sentence.contains("73217") && sentence.contains("expected a string"), "{sentence}");
        }
        let sly = "{\"name\":\"k\",\"rawValue\":1,\"value\":\"x\"}";
        assert!(refusal::<Secret>(sly).contains("rawValue: expected a string"));
    }
}
