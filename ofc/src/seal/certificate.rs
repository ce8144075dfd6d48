//! The certificate of the stage that is sealed for: a file, an address, or the platform's that runs here.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sealed_secrets::Certificate;
use url::{Host, Url};

use crate::instance;
use crate::locate::Which;
use crate::report::Trouble;
use crate::sealing::SealingKeys;

/// Where a stage shows its certificate.
pub(crate) const PATH: &str = "/v1/cert.pem";
/// Where `faas-cli cloud seal` looked for it.
const OLD_FILE: &str = "pub-cert.pem";
/// The longest answer that is read, in bytes.
const LONGEST: usize = 64 * 1024;
/// How long the answer may take.
const LIMIT: Duration = Duration::from_secs(15);

/// A certificate and where it was had from.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) certificate: Certificate,
    /// The stage's address, or the file's name.
    pub(crate) stage: String,
}

/// The certificate that is named (a file, or an address), or the platform's that runs here, or `pub-cert.pem` in `folder`.
///
/// # Errors
/// When there is none, or secrets cannot be sealed to it now.
pub(crate) async fn find(given: Option<&str>, which: &Which, folder: &Path) -> anyhow::Result<Target> {
    let target = match given {
        Some(address) if address.contains("://") => of_url(address).await?,
        Some(file) => of_file(Path::new(file))?,
        None => match of_platform(which)? {
            Some(target) => target,
            None if folder.join(OLD_FILE).is_file() => of_file(&folder.join(OLD_FILE))?,
            None => {
                return Err(Trouble::usage("for which stage is it? No platform runs here")
                    .hint("name the stage's certificate: --cert https://system.example.com or --cert FILE")
                    .into());
            }
        },
    };
    check(&target, Utc::now())?;
    Ok(target)
}

fn check(target: &Target, now: DateTime<Utc>) -> anyhow::Result<()> {
    target.certificate.check_valid(now).map_err(|cause| {
        Trouble::new(format!("nothing can be sealed to the certificate of {}", target.stage))
            .hint("the stage's present one is at https://system.<domain>/v1/cert.pem")
            .because(cause)
            .into()
    })
}

fn of_file(path: &Path) -> anyhow::Result<Target> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST as u64 + 1).read_to_string(&mut text));
    read.map_err(|cause| Trouble::new(format!("the certificate {} cannot be read", path.display())).because(cause))?;
    let stage = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    parse(&text, stage)
}

/// Of the keys in the data directory: nobody in between could put in another one.
fn of_platform(which: &Which) -> anyhow::Result<Option<Target>> {
    let Ok(data) = which.data() else { return Ok(None) };
    let Ok(record) = instance::running(&data) else {
        // One that is named is meant.
        return which.data.as_ref().map_or(Ok(None), |_| instance::running(&data).map(|_| None));
    };
    let ring = SealingKeys::of(&data).load()?;
    let ring = ring.ok_or_else(|| {
        Trouble::new("the platform has no sealing key yet").hint("it makes one when it starts: try again in a moment")
    })?;
    Ok(Some(Target { certificate: ring.newest().clone(), stage: record.url("system") }))
}

async fn of_url(address: &str) -> anyhow::Result<Target> {
    let (url, resolved) = checked(address)?;
    let stage = url.origin().ascii_serialization();
    let mut builder = sdk::http::builder().timeout(LIMIT);
    if let (Some(here), Some(host)) = (resolved, url.host_str()) {
        builder = builder.resolve(host, here);
    }
    let unreachable = |cause: reqwest::Error| {
        Trouble::new(format!("{stage} does not give its certificate"))
            .hint("is it the stage's address, system.<domain>, and does the platform run?")
            .because(cause.without_url())
    };
    let mut response = builder.build()?.get(url.clone()).send().await.map_err(unreachable)?;
    if !response.status().is_success() {
        let status = response.status();
        return Err(Trouble::new(format!(
            "{stage} does not give its certificate: it answers {status} for {}",
            url.path()
        ))
        .hint("redirects are not followed: name the address where it is, for example https://system.example.com")
        .into());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST {
            return Err(Trouble::new(format!("what {stage} answers is too long for a certificate")).into());
        }
    }
    parse(&String::from_utf8_lossy(&body), stage)
}

fn parse(text: &str, stage: String) -> anyhow::Result<Target> {
    let certificate = Certificate::from_pem(text)
        .map_err(|cause| Trouble::new(format!("{stage} is no certificate that could be sealed to")).because(cause))?;
    Ok(Target { certificate, stage })
}

/// An address that nobody in between can answer for, and this machine's own address where the name means that.
pub(super) fn checked(address: &str) -> anyhow::Result<(Url, Option<std::net::SocketAddr>)> {
    let wrong =
        |why: &str| Trouble::usage(format!("'{address}' {why}")).hint("for example: https://system.example.com");
    let mut url: Url = address.parse().map_err(|cause| wrong("is no address").because(cause))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Trouble::usage("an address with a password in it is not taken").into());
    }
    let (local, named) = match url.host() {
        Some(Host::Domain(name)) => (name == "localhost" || name.ends_with(".localhost"), true),
        Some(Host::Ipv4(ip)) => (ip.is_loopback(), false),
        Some(Host::Ipv6(ip)) => (ip.is_loopback(), false),
        None => return Err(wrong("names no host").into()),
    };
    match url.scheme() {
        "https" => {}
        "http" if local => {}
        _ => return Err(wrong("has to begin with https://, or others could put in their own certificate").into()),
    }
    if url.path() == "/" {
        url.set_path(PATH);
    }
    // Not every resolver knows that these names are this machine's.
    Ok((url, (local && named).then(|| ([127, 0, 0, 1], 0).into())))
}

#[cfg(test)]
mod tests;
