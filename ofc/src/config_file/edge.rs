//! `tls` and `listen`: how the platform is reached.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{Section, Target};
use crate::commands::up::{GATEWAY_PORT, PORT};

/// Who ends encryption, and with which certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tls {
    /// There is none: for this machine alone.
    Off,
    /// A proxy in front of the platform ends it.
    Proxy,
    /// The platform, with certificates from files.
    Files {
        /// `certificate` and `private_key`.
        certificate: PathBuf,
        /// The key.
        private_key: PathBuf,
    },
    /// The platform, with certificates that it orders.
    Acme(Acme),
}

/// An authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Acme {
    /// `email`: where it may write to.
    pub(crate) email: Option<String>,
    /// `staging`: certificates that no browser believes, for a first try.
    pub(crate) staging: bool,
    /// `directory`: another authority than Let's Encrypt.
    pub(crate) directory: Option<String>,
    /// `ca_file`: whose certificates that authority's own HTTPS is verified with.
    pub(crate) ca_file: Option<PathBuf>,
    /// `dns_hook`: the program that makes DNS records, for a wildcard.
    pub(crate) dns_hook: Option<PathBuf>,
}

/// Addresses of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listen {
    /// `http`.
    pub(crate) http: SocketAddr,
    /// `https`, used with certificates.
    pub(crate) https: SocketAddr,
    /// `gateway`: the port of the gateway's REST interface, on this machine alone.
    pub(crate) gateway: u16,
    /// `metrics`: the port of the gateway's metrics.
    pub(crate) metrics: Option<u16>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Off,
    Proxy,
    Files,
    Acme,
}

impl Tls {
    pub(super) fn read(root: &Section<'_>, target: Target) -> Option<Self> {
        let section = root.section("tls");
        let words = [("off", Mode::Off), ("proxy", Mode::Proxy), ("files", Mode::Files), ("acme", Mode::Acme)];
        let mode = if section.has("mode") { section.choice("mode", &words) } else { Some(Mode::Off) };
        let read = match mode? {
            Mode::Off => Some(Self::Off),
            Mode::Proxy => Some(Self::Proxy),
            Mode::Files => files(&section),
            Mode::Acme => acme(&section, target),
        };
        section.finish();
        read
    }

    /// True if the platform's own router ends encryption.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self, Self::Files { .. } | Self::Acme(_))
    }
}

fn files(section: &Section<'_>) -> Option<Tls> {
    let (certificate, key) = (section.required::<PathBuf>("certificate"), section.required::<PathBuf>("private_key"));
    Some(Tls::Files { certificate: certificate?, private_key: key? })
}

fn acme(section: &Section<'_>, target: Target) -> Option<Tls> {
    let email = section.text("email").filter(|email| {
        let fine = email.contains('@') && !email.contains([' ', ',', ':']);
        if !fine {
            section.wrong("email", "has to be a mail address");
        }
        fine
    });
    let staging = section.flag("staging").unwrap_or(false);
    let directory = section.text("directory");
    if directory.as_ref().is_some_and(|text| !text.starts_with("https://")) {
        section.wrong("directory", "has to begin with https://");
    }
    if staging && directory.is_some() {
        section.wrong("staging", "is Let's Encrypt's; it has no meaning beside tls.directory");
    }
    let ca_file = section.text("ca_file").map(PathBuf::from);
    let dns_hook = section.text("dns_hook").map(PathBuf::from);
    let accepted = section.flag("accept_terms");
    if accepted != Some(true) {
        section.wrong("accept_terms", "has to be true: read the terms of service of the authority first");
        return None;
    }
    if target == Target::Kubernetes && dns_hook.is_some() {
        section.wrong("dns_hook", "is a program of this machine; in a cluster use cert-manager and tls.mode files");
    }
    Some(Tls::Acme(Acme { email, staging, directory, ca_file, dns_hook }))
}

impl Listen {
    /// Where an installation listens that says nothing about it: to the world once it speaks encrypted.
    pub(crate) fn usual(tls: &Tls) -> Self {
        let at = |address: [u8; 4], port: u16| SocketAddr::from((address, port));
        let http = if tls.is_ours() { at([0, 0, 0, 0], 80) } else { at([127, 0, 0, 1], PORT) };
        Self { http, https: at([0, 0, 0, 0], 443), gateway: GATEWAY_PORT, metrics: None }
    }

    pub(super) fn read(root: &Section<'_>, tls: Option<&Tls>) -> Option<Self> {
        let section = root.section("listen");
        let usual = Self::usual(tls.unwrap_or(&Tls::Off));
        let port = |key| section.number(key, 0, 65_535).and_then(|port| u16::try_from(port).ok());
        let http = section.parsed("http").unwrap_or(usual.http);
        let https = section.parsed("https").unwrap_or(usual.https);
        let (gateway, metrics) = (port("gateway").unwrap_or(usual.gateway), port("metrics"));
        section.finish();
        Some(Self { http, https, gateway, metrics })
    }
}
