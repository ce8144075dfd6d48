//! OAuth 2: the authorisation request, and the exchange of its code.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::HeaderValue;
use sdk::{Invalid, Reader};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use url::Url;

use super::caller::{Answer, Caller, parse};
use super::{Pending, ProviderError};

/// No honest code is longer, in bytes.
const MAX_CODE: usize = 2048;

/// We, as the provider knows us.
#[derive(Debug, Clone)]
pub(super) struct Application {
    id: String,
    secret: SecretString,
}

/// How we prove that it is us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// The secret is a field of the form.
    Form,
    /// HTTP Basic authentication.
    Basic,
}

/// What a code was exchanged for. Dropped with the login.
pub(super) struct Tokens {
    pub(super) access: SecretString,
    pub(super) id: Option<SecretString>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    error: Option<String>,
    access_token: Option<SecretString>,
    token_type: Option<String>,
    id_token: Option<SecretString>,
}

/// A new login: state, nonce and verifier of 256 random bits each.
pub(super) fn pending(provider: &str) -> Result<Pending, ProviderError> {
    Ok(Pending { provider: provider.to_owned(), state: random()?, verifier: random()?.into(), nonce: random()? })
}

fn random() -> Result<String, ProviderError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| ProviderError::NoRandom)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

impl Application {
    /// `client_id` and the secret `of-client-secret`.
    pub(super) fn read(reader: &Reader<'_>) -> Result<Self, Invalid> {
        let id = reader.required("client_id");
        let secret = reader.secret("of-client-secret");
        Ok(Self { id: id?, secret: secret? })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Where to send the browser.
    pub(super) fn authorisation(&self, mut page: Url, scopes: &str, pending: &Pending, redirect_uri: &Url) -> Url {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(pending.verifier.expose_secret()));
        page.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.id)
            .append_pair("redirect_uri", redirect_uri.as_str())
            .append_pair("scope", scopes)
            .append_pair("state", &pending.state)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        page
    }

    /// Exchanges the code that a browser brought.
    pub(super) async fn exchange(
        &self,
        caller: &Caller,
        url: Url,
        proof: Proof,
        login: (&Pending, &str, &Url),
    ) -> Result<Tokens, ProviderError> {
        let (pending, code, redirect_uri) = login;
        if code.is_empty() || code.len() > MAX_CODE || !code.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(ProviderError::Refused { code: "no code".into() });
        }
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri.as_str()),
            ("client_id", &self.id),
            ("code_verifier", pending.verifier.expose_secret()),
        ];
        let mut authorization = None;
        match proof {
            Proof::Form => form.push(("client_secret", self.secret.expose_secret())),
            Proof::Basic => authorization = Some(self.basic()?),
        }
        let path = url.path().to_owned();
        tokens(&caller.post(url, &form, authorization).await?, &path)
    }

    /// RFC 6749, 2.3.1: both parts are form-encoded first.
    fn basic(&self) -> Result<HeaderValue, ProviderError> {
        let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", encode(&self.id), encode(self.secret.expose_secret()));
        let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)))
            .map_err(|_| ProviderError::Refused { code: "of-client-secret cannot be sent".into() })?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// Understands the answer to an exchange. Its content is never part of an error, for it may hold the token.
fn tokens(answer: &Answer, path: &str) -> Result<Tokens, ProviderError> {
    let nonsense = |why: &str| ProviderError::Nonsense { path: path.to_owned(), why: why.to_owned() };
    let parsed = parse::<TokenAnswer>(&answer.body, path);
    // GitHub says no with a 200.
    if let Ok(TokenAnswer { error: Some(code), .. }) = &parsed {
        return Err(ProviderError::Refused { code: word(code) });
    }
    if answer.status != http::StatusCode::OK {
        return Err(ProviderError::Status { path: path.to_owned(), status: answer.status });
    }
    let parsed = parsed?;
    if !parsed.token_type.is_some_and(|kind| kind.eq_ignore_ascii_case("bearer")) {
        return Err(nonsense("its token is not of the type 'bearer'"));
    }
    let access = parsed.access_token.filter(|token| {
        let text = token.expose_secret();
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic())
    });
    Ok(Tokens { access: access.ok_or_else(|| nonsense("there is no usable token in it"))?, id: parsed.id_token })
}

/// An error's name, and nothing that somebody else could put into our log with it.
fn word(code: &str) -> String {
    let plain = code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    if plain && !code.is_empty() { code.to_owned() } else { "for a reason that is no error code".to_owned() }
}
