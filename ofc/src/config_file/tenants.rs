//! `tenants`: who may deploy, as a list or as the address of one; and `operators`.

use sdk::customers;
use url::Url;

use super::address::parse_address;
use super::{Section, Source};

/// Who may deploy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tenants {
    /// These, each a login and perhaps `<host>/<number>`.
    List(Vec<String>),
    /// Those of a list at this address, which is asked again from time to time.
    At(Url),
    /// Whoever the platform's own host knows.
    OfTheHost,
}

impl Tenants {
    pub(super) fn read(root: &Section<'_>, source: Option<&Source>) -> Option<Self> {
        let all = root.list("tenants");
        if source == Some(&Source::Local) {
            if !all.is_empty() {
                root.wrong(
                    "tenants",
                    "is of no use with source.host local: `ofc token` and `ofc link` register owners",
                );
                return None;
            }
            return Some(Self::OfTheHost);
        }
        // With a host that is not understood, nothing more can be said about its tenants.
        source?;
        match all.as_slice() {
            [] => {
                root.wrong("tenants", "is missing: a list of logins, or the https:// address of one");
                None
            }
            [one] if one.value.contains("://") => match parse_address(&one.value) {
                Ok(url) => Some(Self::At(url)),
                Err(sentence) => {
                    root.wrong("tenants", format!("cannot be used: {sentence}"));
                    None
                }
            },
            _ => Self::list(root, all.into_iter().map(|at| at.value).collect()),
        }
    }

    fn list(root: &Section<'_>, all: Vec<String>) -> Option<Self> {
        match customers::parse(&all.join("\n")) {
            Ok(_) => Some(Self::List(all)),
            Err(error) => {
                root.wrong("tenants", format!("has something wrong in its element {}: {}", error.line, error.cause));
                None
            }
        }
    }

    /// The list as the functions read it.
    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Self::List(all) => Some(all.iter().map(|line| format!("{line}\n")).collect()),
            Self::At(_) | Self::OfTheHost => None,
        }
    }
}

/// Accounts by host and number: a login that is given up can be taken by anybody.
pub(super) fn operators(root: &Section<'_>) -> Vec<String> {
    let fine = |text: &str| {
        let number = |id: &str| id.parse::<u64>().is_ok_and(|id| id > 0);
        text.split_once('/').is_some_and(|(host, id)| {
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':');
            !host.is_empty() && host.bytes().all(plain) && number(id)
        })
    };
    let all = root.list("operators").into_iter().map(|at| at.value);
    let (good, bad): (Vec<_>, Vec<_>) = all.partition(|text| fine(text));
    for text in bad {
        root.wrong("operators", format!("has '{text}': it has to be <host>/<number>, such as github.com/583231"));
    }
    good
}
