//! `POST /q/`: what the router asks where it cannot decide by itself. A clear yes, or a no.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use sdk::failure::{Failure, chain};
use sdk::signing::Signed;
use session::Claims;
use session::protocol::{API_TOKEN_PREFIX, Answer, Question};

use crate::address::Site;
use crate::app::{App, Shared};
use crate::issue::No;
use crate::random;
use crate::store::ApiToken;

/// How long the router may keep an answer, in seconds.
const KEEP: u64 = 5;

/// Answers 200 with an answer, 401 for a no, 503 when it cannot be told.
pub(crate) async fn ask(State(Shared(app)): State<Shared>, Signed { message, call }: Signed<Question>) -> Response {
    let Some(site) = app.addresses.site(&message.host) else {
        return no(&No::Invalid);
    };
    let answer = if message.token.starts_with(API_TOKEN_PREFIX) {
        app.bearer(&message.token, &site).await.map(|(_, answer)| answer)
    } else {
        app.session_answer(&message.token, &site).await
    };
    match answer {
        Ok(answer) => Json(answer).into_response(),
        Err(No::Store(error)) => {
            let sentence = "it cannot be told who this is";
            Failure::new(StatusCode::SERVICE_UNAVAILABLE, sentence).because(error).into_response()
        }
        Err(reason) => {
            tracing::debug!(host = message.host, call_id = %call, reason = chain(&reason), "a token was refused");
            no(&reason)
        }
    }
}

/// The sentence says as little to the router as to whoever sent the token.
fn no(_: &No) -> Response {
    (StatusCode::UNAUTHORIZED, "this token does not count\n").into_response()
}

impl App {
    async fn session_answer(&self, token: &str, site: &Site) -> Result<Answer, No> {
        let living = self.living(token, site).await?;
        let keep = KEEP.min(living.claims.exp.saturating_sub(self.clock.now()));
        Ok(Answer { claims: living.claims, renewed: living.renewed, scopes: None, keep })
    }

    /// Whose an API token is, and what it may be used for.
    pub(crate) async fn bearer(&self, token: &str, site: &Site) -> Result<(ApiToken, Answer), No> {
        let now = self.clock.now();
        let secret = token.strip_prefix(API_TOKEN_PREFIX).filter(|rest| random::is_value(rest)).ok_or(No::Invalid)?;
        let token = self.store.use_token(random::hash(secret), now).await?.ok_or(No::Ended)?;
        let mut known = self.store.person(&token.subject).await?.ok_or(No::Ended)?;
        if now >= known.said.saturating_add(self.roles.token) {
            known.person.organisations.clear();
        }
        let who = self.tenants.admit(known.person).await.map_err(No::NotAdmitted)?;
        let ends = token.expires.min(now.saturating_add(self.token_lifetime));
        let claims = Claims { last: Some(token.expires), ..self.claims(site, &token.id, who, now, ends) };
        let keep = KEEP.min(ends - now);
        let answer = Answer { claims, renewed: None, scopes: Some(token.scopes.clone()), keep };
        Ok((token, answer))
    }
}
