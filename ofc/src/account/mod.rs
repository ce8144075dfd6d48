//! Who one is at a platform, here or elsewhere: an API token from of-auth, kept in the user's configuration folder.

mod credentials;
mod device;
mod service;

pub(crate) use credentials::{Credential, Credentials};
pub(crate) use device::sign_in;
pub(crate) use service::{Me, Service};

use sdk::Env;

use crate::instance;
use crate::locate::Which;
use crate::report::Trouble;

/// The service that a command means: at `url`, or of the platform that runs here.
///
/// # Errors
/// When the address cannot be used, or none is given and no platform runs.
pub(crate) fn service(url: Option<&str>, which: &Which) -> anyhow::Result<Service> {
    match url {
        Some(url) => Service::at(url),
        None => {
            let (_, record) = which.running()?;
            Service::of(&record)
        }
    }
}

/// The service that one is signed in at: at `url`, of the platform that runs here, or the only one there is.
///
/// # Errors
/// When one is not signed in, or at several.
pub(crate) fn signed_in(url: Option<&str>, which: &Which) -> anyhow::Result<(Service, Credentials, Credential)> {
    let kept = Credentials::open(&Env::from_process())?;
    let service = match url {
        Some(url) => Service::at(url)?,
        None => match here(which).filter(|service| kept.get(&service.origin()).is_some()) {
            Some(service) => service,
            None => Service::at(kept.only()?)?,
        },
    };
    let credential = kept.get(&service.origin()).cloned();
    let credential = credential.ok_or_else(|| {
        Trouble::new(format!("you are not signed in at {}", service.origin())).hint("sign in with `ofc login`")
    })?;
    Ok((service, kept, credential))
}

fn here(which: &Which) -> Option<Service> {
    let data = which.data().ok()?;
    instance::running(&data).ok().and_then(|record| Service::of(&record).ok())
}
