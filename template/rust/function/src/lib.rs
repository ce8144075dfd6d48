//! Greets whoever is named in the request's body.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use openfaas_runtime::{ConfigError, Env, ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

/// What the function knows from its environment.
struct Config {
    /// `greeting`: a variable, set under `environment:` in stack.yml.
    greeting: String,
    /// `api-key`: a secret, listed under `secrets:` in stack.yml. Not printed by `{:?}`.
    api_key: Option<SecretString>,
}

impl Config {
    fn read(env: &Env) -> Result<Self, ConfigError> {
        let reader = env.reader();
        let greeting = reader.or("greeting", "Hello".to_owned());
        let api_key = reader.optional_secret("api-key");
        // Everything that is wrong is reported at once.
        reader.finish()?;
        Ok(Self {
            greeting: greeting?,
            api_key,
        })
    }

    /// Everybody, unless there is a key to know.
    fn admits(&self, headers: &HeaderMap) -> bool {
        let given = headers
            .get("x-api-key")
            .map_or(&b""[..], |key| key.as_bytes());
        self.api_key
            .as_ref()
            .is_none_or(|key| key.expose_secret().as_bytes().ct_eq(given).into())
    }
}

/// The function. It is built once, when the container starts.
pub fn router(env: &Env) -> Result<Router, ConfigError> {
    let config = Arc::new(Config::read(env)?);
    Ok(Router::new()
        .route("/", post(greet).get(greet))
        .with_state(config))
}

async fn greet(
    State(config): State<Arc<Config>>,
    headers: HeaderMap,
    name: String,
) -> Result<String, (StatusCode, &'static str)> {
    if !config.admits(&headers) {
        return Err((
            StatusCode::UNAUTHORIZED,
            "the header X-Api-Key is missing or wrong\n",
        ));
    }
    let name = if name.trim().is_empty() {
        "world"
    } else {
        name.trim()
    };
    Ok(format!("{}, {name}.\n", config.greeting))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    async fn answer(env: &Env, key: &str, body: &'static str) -> (StatusCode, String) {
        let request = Request::post("/")
            .header("x-api-key", key)
            .body(Body::from(body))
            .unwrap();
        let response = router(env).unwrap().oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    #[tokio::test]
    async fn greets_by_name_or_the_world() {
        let env = Env::from_map([("greeting", "Moin")], [("", ""); 0]);
        assert_eq!(
            answer(&env, "", "Ada").await,
            (StatusCode::OK, "Moin, Ada.\n".to_owned())
        );
        assert_eq!(
            answer(&env, "", "").await,
            (StatusCode::OK, "Moin, world.\n".to_owned())
        );
    }

    #[tokio::test]
    async fn asks_for_the_key_where_there_is_one() {
        let env = Env::from_map([("", ""); 0], [("api-key", "s3cr3t")]);
        assert_eq!(
            answer(&env, "s3cr3t", "Ada").await,
            (StatusCode::OK, "Hello, Ada.\n".to_owned())
        );
        assert_eq!(
            answer(&env, "guess", "Ada").await.0,
            StatusCode::UNAUTHORIZED
        );
    }
}
