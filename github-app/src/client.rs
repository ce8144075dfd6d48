//! Calls under the right token: an installation's, or the operator's fixed one.

use http::StatusCode;
use sdk::{Invalid, Reader};
use secrecy::SecretString;

use crate::answer::Answer;
use crate::api::Api;
use crate::app::App;
use crate::call::Call;
use crate::config;
use crate::error::GithubError;
use crate::scope::Scope;

/// GitHub, spoken to as an App or under a fixed token. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Client(Credentials);

#[derive(Debug, Clone)]
enum Credentials {
    App(App),
    Token(Api, SecretString),
}

impl Client {
    /// Speaks for the App's installations.
    pub fn of_app(app: App) -> Self {
        Self(Credentials::App(app))
    }

    /// Speaks under one token, whatever the installation and the scope.
    pub fn with_token(api: Api, token: SecretString) -> Self {
        Self(Credentials::Token(api, token))
    }

    /// Reads what [`App::read`] reads, and the secret `github-token`, which counts where there is no App. `None` where
    /// there is neither.
    ///
    /// # Errors
    /// As [`App::read`].
    pub fn read(reader: &Reader<'_>) -> Result<Option<Self>, Invalid> {
        config::client(reader)
    }

    /// The App, if it is one.
    pub fn app(&self) -> Option<&App> {
        match &self.0 {
            Credentials::App(app) => Some(app),
            Credentials::Token(..) => None,
        }
    }

    /// The API that is spoken with.
    pub fn api(&self) -> &Api {
        match &self.0 {
            Credentials::App(app) => app.api(),
            Credentials::Token(api, _) => api,
        }
    }

    /// A token for `scope`, for who speaks with GitHub by other means, such as git.
    ///
    /// # Errors
    /// As [`App::token`]; never with a fixed token.
    pub async fn token(&self, installation: u64, scope: &Scope) -> Result<SecretString, GithubError> {
        match &self.0 {
            Credentials::App(app) => app.token(installation, scope).await,
            Credentials::Token(_, token) => Ok(token.clone()),
        }
    }

    /// Sends a call with a token for `scope`; with a new one where GitHub does not take the old one any more.
    ///
    /// # Errors
    /// As [`Api::send`] and [`App::token`].
    pub async fn send(&self, call: &Call<'_>, installation: u64, scope: &Scope) -> Result<Answer, GithubError> {
        let app = match &self.0 {
            Credentials::App(app) => app,
            Credentials::Token(api, token) => return api.send(call, token, 0).await,
        };
        let token = app.token(installation, scope).await?;
        match app.api().send(call, &token, installation).await {
            Err(error) if error.status() == Some(StatusCode::UNAUTHORIZED) => {
                app.forget(installation, scope, &token).await;
                app.api().send(call, &app.token(installation, scope).await?, installation).await
            }
            answer => answer,
        }
    }
}
