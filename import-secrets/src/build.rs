//! Seals secrets for the image builder, as `faas-cli` does for its builds: each value in a `NaCl` box of its own, made by a
//! key that is forgotten at once, so that only the builder opens it.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto_box::aead::{Aead as _, AeadCore as _, OsRng};
use crypto_box::{PublicKey, SalsaBox, SecretKey};
use reqwest::StatusCode;
use sdk::secrets::{BuildWish, ForBuild};
use sdk::{Invalid, Reader};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use url::Url;

use crate::app::App;
use crate::backend::Value;
use crate::problem::Problem;

const VERSION: &str = "v1";
const ALGORITHM: &str = "nacl/box";
/// So many characters of a public key name it.
const ID_CHARS: usize = 8;
const MAX_ID_BYTES: usize = 64;
/// What builders take, in bytes.
const MAX_FILE_BYTES: usize = 256 * 1024;
const KEY_VARIABLE: &str = "builder_public_key";
const ASK_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_ANSWER: usize = 4 * 1024;

/// Where the builder's public key is known from.
#[derive(Debug)]
pub(crate) enum BuilderKey {
    /// `builder_public_key`: this one, whatever somebody on the way to the builder may say.
    Given(PublicKey),
    /// `builder_url`: the builder says.
    Asked(Url),
    /// There is no builder.
    None,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    algorithm: String,
    public_key: String,
}

impl BuilderKey {
    pub(crate) fn read(r: &Reader<'_>) -> Result<Self, Invalid> {
        let url = r.optional::<Url>("builder_url")?;
        match (r.optional::<String>(KEY_VARIABLE)?, url) {
            (Some(text), _) => {
                let invalid = || r.invalid(KEY_VARIABLE, "must be a Curve25519 public key, 32 bytes in base64");
                public_key(&text).map(Self::Given).ok_or_else(invalid)
            }
            (None, Some(url)) => Ok(Self::Asked(url)),
            (None, None) => Ok(Self::None),
        }
    }

    /// The key, asked for anew each time: it may be another one tomorrow.
    async fn get(&self) -> Result<PublicKey, Problem> {
        match self {
            Self::Given(key) => Ok(key.clone()),
            Self::Asked(url) => ask(url).await,
            Self::None => Err(no_key()),
        }
    }
}

fn no_key() -> Problem {
    let sentence = "this platform's builder takes no secrets: its operator gives it a builder-private-key";
    Problem::Wish(sentence.to_owned())
}

async fn ask(url: &Url) -> Result<PublicKey, Problem> {
    let mut url = url.clone();
    url.set_path(&format!("{}/publickey", url.path().trim_end_matches('/')));
    let answer = sdk::http::client().get(url).timeout(ASK_TIMEOUT).send().await;
    let answer = answer.map_err(|cause| Problem::Builder(Some(cause.without_url())))?;
    match answer.status() {
        StatusCode::OK => {}
        StatusCode::NOT_IMPLEMENTED | StatusCode::NOT_FOUND => return Err(no_key()),
        _ => return Err(Problem::Builder(None)),
    }
    let text = sdk::call::bounded_text(answer, MAX_ANSWER).await;
    let answer = serde_json::from_str::<Answer>(&text).ok();
    // A builder that names no way means this one, as it did before there was a name for it.
    let answer = answer.filter(|answer| matches!(answer.algorithm.as_str(), "" | ALGORITHM));
    answer.and_then(|answer| public_key(&answer.public_key)).ok_or(Problem::Builder(None))
}

fn public_key(text: &str) -> Option<PublicKey> {
    PublicKey::from_slice(&STANDARD.decode(text.trim()).ok()?).ok()
}

impl App {
    /// The file `com.openfaas.secrets` with what a build wants.
    ///
    /// # Errors
    /// When something of it is not there, and when the builder's key cannot be had.
    pub(crate) async fn seal_for_build(&self, wish: &BuildWish) -> Result<ForBuild, Problem> {
        if let Some(id) = wish.wanted.keys().find(|id| !is_id(id)) {
            return Err(Problem::Invalid(format!("{id:?} cannot be the id of a build secret")));
        }
        let builder = self.builder.get().await?;
        let values = self.wished(wish).await?;
        Ok(ForBuild { file: seal(&values, &builder)? })
    }
}

/// The same form as in `stack.yml`; it stands in a line of YAML below.
fn is_id(id: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

fn seal(values: &BTreeMap<String, Value>, builder: &PublicKey) -> Result<String, Problem> {
    let own = SecretKey::generate(&mut OsRng);
    let sealer = SalsaBox::new(builder, &own);
    let (key, own) = (STANDARD.encode(builder.as_bytes()), STANDARD.encode(own.public_key().as_bytes()));
    let id = key.get(..ID_CHARS).unwrap_or_default();
    let mut file = format!("version: {VERSION}\nalgorithm: {ALGORITHM}\nkey_id: {id}\npublic_key: {own}\nsecrets:\n");
    for (id, value) in values {
        let nonce = SalsaBox::generate_nonce(&mut OsRng);
        let sealed = sealer.encrypt(&nonce, value.expose_secret()).map_err(|_| Problem::Broken)?;
        let sealed = STANDARD.encode([nonce.as_slice(), &sealed].concat());
        file.push_str(&format!("    \"{id}\": {sealed}\n"));
        if file.len() > MAX_FILE_BYTES {
            let sentence = format!("the secrets of one build may have {MAX_FILE_BYTES} bytes when they are sealed");
            return Err(Problem::Wish(sentence));
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests;
