//! The account at the authority: made once, its key kept on disk.

use instant_acme::{Account, AccountCredentials, ExternalAccountKey, NewAccount};
use secrecy::ExposeSecret;
use tokio::sync::Mutex;

use super::OrderError;
use super::client::Client;
use super::store::Store;
use crate::tls::settings::Acme;

/// The account, found or made when it is needed first: the authority may be down when the router starts.
pub(super) struct Accounts {
    settings: Acme,
    client: Client,
    current: Mutex<Option<Account>>,
}

impl Accounts {
    pub(super) fn new(settings: Acme) -> Result<Self, OrderError> {
        let client = Client::new(&settings)?;
        Ok(Self { settings, client, current: Mutex::new(None) })
    }

    /// The account. Who comes while it is being made waits for it.
    pub(super) async fn get(&self, store: &Store) -> Result<Account, OrderError> {
        let mut current = self.current.lock().await;
        if let Some(account) = current.as_ref() {
            return Ok(account.clone());
        }
        let account = match store.account()? {
            Some(text) => self.restore(&text).await?,
            None => self.create(store).await?,
        };
        Ok(current.insert(account).clone())
    }

    /// Forgets the account after a failure, so that the authority's directory is read again. An account that the
    /// authority does not know any longer is put aside.
    pub(super) async fn failed(&self, error: &OrderError, store: &Store) {
        let mut current = self.current.lock().await;
        if matches!(error, OrderError::Acme(_)) {
            *current = None;
        }
        if error.is_unknown_account() {
            tracing::warn!("the authority does not know our account any longer; a new one is made");
            if let Err(error) = store.put_account_aside() {
                tracing::error!(cause = %error, "the old account's file cannot be put aside");
            }
        }
    }

    async fn restore(&self, text: &str) -> Result<Account, OrderError> {
        let credentials: AccountCredentials = serde_json::from_str(text).map_err(OrderError::AccountFile)?;
        Ok(Account::builder_with_http(Box::new(self.client.clone())).from_credentials(credentials).await?)
    }

    async fn create(&self, store: &Store) -> Result<Account, OrderError> {
        let contact: Vec<_> = self.settings.contact.iter().map(|mail| format!("mailto:{mail}")).collect();
        let contact: Vec<_> = contact.iter().map(String::as_str).collect();
        // Settings without the operator's consent are refused when they are read.
        let new = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
        let external = self.settings.external_account.as_ref();
        let external = external.map(|a| ExternalAccountKey::new(a.key_id.clone(), a.hmac_key.expose_secret()));
        let builder = Account::builder_with_http(Box::new(self.client.clone()));
        let directory = self.settings.directory.to_string();
        let (account, credentials) = builder.create(&new, directory, external.as_ref()).await?;
        let text = serde_json::to_string(&credentials).map_err(OrderError::AccountFile)?;
        store.keep_account(&text)?;
        tracing::info!(authority = %self.settings.directory, "an account was made at the certificate authority");
        Ok(account)
    }
}
