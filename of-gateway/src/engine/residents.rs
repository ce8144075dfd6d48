//! Whose container has which address on the functions' network.
//!
//! An address is given to another container as soon as its holder has ended, so what was learned is forgotten with
//! every start and end, and after a moment in any case.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bollard::query_parameters::ListContainersOptionsBuilder;
use tokio::time::sleep;

use super::record::{INSTANCE, bridge_address};
use super::{Engine, EngineError, Record};

/// What was learned is believed this long.
const FRESH: Duration = Duration::from_secs(1);
/// A container may call before the engine lists it as running.
const PATIENCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(50);
/// An address that nobody was found at is not asked about again for this long.
const STRANGE: Duration = Duration::from_secs(5);

/// Who has which address, as the engine said last.
#[derive(Default)]
pub(super) struct Residents {
    seen: Mutex<Seen>,
    /// Held while the engine is asked: one answer is enough for all who wait.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Seen {
    /// Counts how often everything was forgotten.
    epoch: u64,
    at: Option<Instant>,
    by_address: HashMap<IpAddr, Arc<Record>>,
    strangers: HashMap<IpAddr, Instant>,
}

impl Seen {
    /// `None` if the engine has to be asked.
    fn recent(&self, address: IpAddr) -> Option<Option<Arc<Record>>> {
        if self.strangers.get(&address).is_some_and(|since| since.elapsed() < STRANGE) {
            return Some(None);
        }
        self.at.filter(|at| at.elapsed() < FRESH)?;
        self.by_address.get(&address).cloned().map(Some)
    }
}

impl Residents {
    /// A container has started or ended, or is about to.
    pub(super) fn forget(&self) {
        let mut seen = self.seen();
        *seen = Seen { epoch: seen.epoch + 1, ..Seen::default() };
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// The record of the container at an address of the functions' network; `None` if it is none of a function.
    pub(crate) async fn resident(&self, address: IpAddr) -> Result<Option<Arc<Record>>, EngineError> {
        let address = address.to_canonical();
        let until = Instant::now() + PATIENCE;
        loop {
            let known = self.residents.seen().recent(address);
            if let Some(known) = known {
                return Ok(known);
            }
            let found = self.ask_residents(address).await?;
            if found.is_some() {
                return Ok(found);
            }
            if Instant::now() >= until {
                self.residents.seen().strangers.insert(address, Instant::now());
                return Ok(None);
            }
            sleep(PAUSE).await;
        }
    }

    async fn ask_residents(&self, address: IpAddr) -> Result<Option<Arc<Record>>, EngineError> {
        let _alone = self.residents.asking.lock().await;
        // Somebody else may have asked meanwhile.
        let (known, epoch) = {
            let seen = self.residents.seen();
            (seen.recent(address), seen.epoch)
        };
        if let Some(known) = known {
            return Ok(known);
        }
        let begun = Instant::now();
        let by_address = self.list_residents().await?;
        let found = by_address.get(&address).cloned();
        let mut seen = self.residents.seen();
        if seen.epoch == epoch {
            (seen.at, seen.by_address) = (Some(begun), by_address);
        }
        Ok(found)
    }

    async fn list_residents(&self) -> Result<HashMap<IpAddr, Arc<Record>>, EngineError> {
        let filters = HashMap::from([("label", vec![format!("{INSTANCE}={}", self.instance)])]);
        let options = ListContainersOptionsBuilder::default().filters(&filters).build();
        let found = self.docker()?.list_containers(Some(options)).await;
        let found = found.map_err(|source| self.error("list", "containers", source))?;
        let network = self.network();
        let each = found.iter().filter_map(|summary| {
            let address = bridge_address(summary, &network)?.ip();
            Some((address, Arc::new(Record::of(summary.labels.as_ref()?)?)))
        });
        Ok(each.collect())
    }
}
