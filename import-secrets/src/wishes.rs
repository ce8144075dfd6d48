//! Values that the image builder is to have. They leave this module for sealing alone.

use std::collections::BTreeMap;

use sdk::secrets::{BuildWish, SecretRef};

use crate::app::App;
use crate::backend::Value;
use crate::problem::Problem;
use crate::record::{Kept, Record};

/// A build has at most so many secrets.
const MAX_WISHES: usize = 64;

impl App {
    /// By the id that the Dockerfile uses, what the owner's imported secrets have in them.
    ///
    /// # Errors
    /// When one is not there, or cannot be opened.
    pub(crate) async fn wished(&self, wish: &BuildWish) -> Result<BTreeMap<String, Value>, Problem> {
        if wish.event.owner_id == 0 {
            return Err(Problem::Invalid("owner_id must be greater than 0".to_owned()));
        }
        if wish.wanted.len() > MAX_WISHES {
            return Err(Problem::Wish(format!("a build may have {MAX_WISHES} secrets, not {}", wish.wanted.len())));
        }
        let _turn = self.records.turn(&wish.event.owner_id()).await?;
        let open = self.begin(&wish.event).await?;
        let mut values = BTreeMap::new();
        for (id, wanted) in &wish.wanted {
            let (kept, key) = find(&open.record, wanted)?;
            let mut candidate = kept.candidate();
            candidate.wanted = [key.to_owned()].into();
            let value = self.backend.values(&candidate).await?.remove(key).ok_or(Problem::Broken)?;
            values.insert(id.clone(), value);
        }
        Ok(values)
    }
}

/// The secret and the key that somebody means.
fn find<'a>(record: &'a Record, wanted: &'a SecretRef) -> Result<(&'a Kept, &'a str), Problem> {
    let secret = &wanted.secret;
    let kept = record.secrets.get(secret).ok_or_else(|| {
        Problem::Wish(format!("the secret {secret} is in no repository's file: builds can have no others"))
    })?;
    let has = |key: &str| kept.keys.get_key_value(key).map(|(key, _)| key.as_str());
    match &wanted.key {
        Some(key) => match has(key) {
            Some(key) => Ok((kept, key)),
            None => Err(Problem::Wish(format!("the secret {secret} has no key {key}"))),
        },
        None => match kept.keys.keys().next().filter(|_| kept.keys.len() == 1) {
            Some(key) => Ok((kept, key)),
            None => Err(Problem::Wish(format!("the secret {secret} has several keys: say which, as {secret}/<key>"))),
        },
    }
}
