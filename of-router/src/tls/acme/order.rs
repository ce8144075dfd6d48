//! One order, from the question to the certificate.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, ChallengeHandle, ChallengeType, Identifier, NewOrder, Order, OrderStatus, RetryPolicy,
};
use rustls::crypto::CryptoProvider;

use super::challenges::{Challenges, Shown};
use super::hook::{self, Change};
use super::{ChallengeKind, OrderError};
use crate::tls::host::Name;

/// How the authority's progress is asked for.
const POLL: RetryPolicy =
    RetryPolicy::new().initial_delay(Duration::from_millis(200)).backoff(1.5).timeout(Duration::from_secs(120));

/// The program that changes DNS records, and its time limit.
#[derive(Debug, Clone)]
pub(super) struct Hook {
    pub(super) program: PathBuf,
    pub(super) limit: Duration,
}

/// How a name is proven.
#[derive(Debug, Clone)]
pub(super) enum Proof {
    Shown(ChallengeKind),
    Dns(Hook),
}

/// A proof that is out, and is to be taken back.
enum Standing {
    Shown { _until_dropped: Shown },
    Record { hook: Hook, record: String, value: String },
}

/// Where proofs are shown.
pub(super) struct Stage {
    pub(super) challenges: Arc<Challenges>,
    pub(super) provider: Arc<CryptoProvider>,
}

/// Orders a certificate for `name`: its key and its chain, as PEM.
pub(super) async fn place(account: &Account, name: &Name, proof: &Proof, stage: &Stage) -> Result<String, OrderError> {
    let identifiers = [Identifier::Dns(name.to_string())];
    let mut order = account.new_order(&NewOrder::new(&identifiers)).await?;
    let mut standing = Vec::new();
    let proven = prove(&mut order, name, proof, stage, &mut standing).await;
    for proof in standing {
        take_back(proof).await;
    }
    proven?;
    let key = order.finalize().await?;
    let chain = order.poll_certificate(&POLL).await?;
    Ok(format!("{key}{chain}"))
}

async fn prove(
    order: &mut Order,
    name: &Name,
    proof: &Proof,
    stage: &Stage,
    standing: &mut Vec<Standing>,
) -> Result<(), OrderError> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        // Authorities remember what was proven a short while ago.
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let offered = authorization.challenge(proof.kind());
        let mut challenge = offered.ok_or_else(|| OrderError::NotOffered(name.to_string()))?;
        standing.push(show(&challenge, name, proof, stage).await?);
        challenge.set_ready().await?;
    }
    match order.poll_ready(&POLL).await? {
        OrderStatus::Invalid => Err(OrderError::NotProven(reason(order).await)),
        _ => Ok(()),
    }
}

impl Proof {
    fn kind(&self) -> ChallengeType {
        match self {
            Self::Shown(ChallengeKind::Http01) => ChallengeType::Http01,
            Self::Shown(ChallengeKind::TlsAlpn01) => ChallengeType::TlsAlpn01,
            Self::Dns(_) => ChallengeType::Dns01,
        }
    }
}

async fn show(
    challenge: &ChallengeHandle<'_>,
    name: &Name,
    proof: &Proof,
    stage: &Stage,
) -> Result<Standing, OrderError> {
    let key = challenge.key_authorization();
    let host = name.base();
    match proof {
        Proof::Shown(ChallengeKind::Http01) => {
            let shown = stage.challenges.show_text(host, &challenge.token, key.as_str());
            Ok(Standing::Shown { _until_dropped: shown })
        }
        Proof::Shown(ChallengeKind::TlsAlpn01) => {
            let shown = stage.challenges.show_certificate(host, key.digest().as_ref(), &stage.provider)?;
            Ok(Standing::Shown { _until_dropped: shown })
        }
        Proof::Dns(hook) => {
            let (record, value) = (format!("_acme-challenge.{host}"), key.dns_value());
            let made = hook::run(&hook.program, Change::Present, &record, &value, hook.limit).await;
            let standing = Standing::Record { hook: hook.clone(), record, value };
            if let Err(error) = made {
                // It may have done half of its work.
                take_back(standing).await;
                return Err(error);
            }
            Ok(standing)
        }
    }
}

async fn take_back(standing: Standing) {
    let Standing::Record { hook, record, value } = standing else { return };
    if let Err(error) = hook::run(&hook.program, Change::Cleanup, &record, &value, hook.limit).await {
        tracing::warn!(record, cause = %error, "a DNS record of a finished order is still there");
    }
}

/// What the authority says about the proof that it did not accept.
async fn reason(order: &mut Order) -> String {
    let mut reasons = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let Ok(state) = authorization.refresh().await else { continue };
        let errors = state.challenges.iter().filter_map(|challenge| challenge.error.as_ref());
        reasons.extend(errors.map(ToString::to_string));
    }
    if reasons.is_empty() { "it gave no reason".to_owned() } else { reasons.join("; ") }
}
