//! Where callbacks may go. Whoever sends a call names the address and needs no credentials for that, so by default no
//! callback reaches what only this machine, or its network, can reach.

use std::net::IpAddr;
use std::str::FromStr;

use url::{Host, Url};

use super::address::{is_of_this_machine, is_public};

/// The hosts that callbacks may go to: names, `*.example.com` for everything below a name, and addresses. With none,
/// any host on the internet may be called, and nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallbackHosts(Vec<Pattern>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    Below(String),
    Name(String),
    Address(IpAddr),
}

/// Which addresses a host's name may stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Any: the operator named this very host.
    Anywhere,
    /// Any but this machine's own: the operator does not know every name below a name.
    OtherMachines,
    Internet,
    Nowhere,
}

impl Reach {
    pub(super) fn allows(self, address: IpAddr) -> bool {
        match self {
            Self::Anywhere => true,
            Self::OtherMachines => !is_of_this_machine(address),
            Self::Internet => is_public(address),
            Self::Nowhere => false,
        }
    }
}

impl CallbackHosts {
    /// How far a name reaches.
    pub(super) fn reach(&self, name: &str) -> Reach {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        if self.0.is_empty() {
            return Reach::Internet;
        }
        let below = |end: &str| name.strip_suffix(end).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'));
        let reach = |pattern: &Pattern| match pattern {
            Pattern::Name(listed) if *listed == name => Some(Reach::Anywhere),
            Pattern::Below(end) if below(end) => Some(Reach::OtherMachines),
            _ => None,
        };
        let best = self.0.iter().filter_map(reach).max_by_key(|reach| *reach == Reach::Anywhere);
        best.unwrap_or(Reach::Nowhere)
    }

    /// Whether a callback may go to this URL, as far as that can be told without looking its name up.
    pub(super) fn allow(&self, url: &Url) -> bool {
        let address = match url.host() {
            Some(Host::Domain(name)) => {
                let reach = self.reach(name);
                return reach != Reach::Nowhere && !(reach == Reach::Internet && is_home(name));
            }
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            None => return false,
        };
        self.0.contains(&Pattern::Address(address)) || (self.0.is_empty() && is_public(address))
    }
}

/// A name that is never anything but this machine.
fn is_home(name: &str) -> bool {
    name.trim_end_matches('.').rsplit('.').next() == Some("localhost")
}

impl FromStr for CallbackHosts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(pattern).collect::<Result<_, _>>().map(Self)
    }
}

fn pattern(text: &str) -> Result<Pattern, String> {
    let sentence = || {
        format!("\"{text}\" is neither a host name, nor *. and a host name, nor an address (no scheme, port or path)")
    };
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = bare.parse() {
        return Ok(Pattern::Address(address));
    }
    let (name, below) = text.strip_prefix("*.").map_or((text, false), |name| (name, true));
    match Host::parse(name) {
        Ok(Host::Domain(name)) if !name.contains(['*', ':', '/']) => {
            let name = name.trim_end_matches('.').to_owned();
            Ok(if below { Pattern::Below(name) } else { Pattern::Name(name) })
        }
        _ => Err(sentence()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(hosts: &str, url: &str) -> bool {
        hosts.parse::<CallbackHosts>().unwrap().allow(&url.parse().unwrap())
    }

    #[test]
    fn without_a_list_only_the_internet_may_be_called() {
        for url in ["https://hooks.example.com/x", "http://8.8.8.8:8080/", "http://[2606:4700::1111]/"] {
            assert!(allows("", url), "{url}");
        }
        for url in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://[::1]/",
            "http://10.0.0.1/",
            "http://169.254.169.254/latest/meta-data",
            "http://[::ffff:169.254.169.254]/",
            "http://0/",
            "http://localhost/",
            "http://a.localhost./",
        ] {
            assert!(!allows("", url), "{url}");
        }
        // What a name stands for is seen when it is looked up.
        let none = CallbackHosts::default();
        for address in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "fd00::1"] {
            assert!(!none.reach("localhost").allows(address.parse().unwrap()), "{address}");
        }
        assert!(none.reach("example.com").allows("93.184.216.34".parse().unwrap()));
    }

    #[test]
    fn with_a_list_only_what_is_listed_may_be_called() {
        let list = "hooks.example.com, *.Example.org,10.0.0.7,[fd00::7]";
        for url in [
            "https://hooks.example.com/x",
            "https://HOOKS.example.com./x",
            "http://a.b.example.org:8080/",
            "http://10.0.0.7/",
            "http://[fd00::7]:9/",
        ] {
            assert!(allows(list, url), "{url}");
        }
        for url in [
            "https://example.com/",
            "https://x.hooks.example.com/",
            "https://example.org/",
            "https://badexample.org/",
            "http://10.0.0.8/",
            "http://8.8.8.8/",
            "http://.example.org/",
            "http://hooks.example.com.evil.net/",
        ] {
            assert!(!allows(list, url), "{url}");
        }
    }

    #[test]
    fn a_name_that_is_listed_may_be_here_and_one_below_a_listed_name_may_not() {
        let hosts: CallbackHosts = "localhost,*.lan".parse().unwrap();
        let (here, near) = ("127.0.0.1".parse().unwrap(), "10.0.0.1".parse().unwrap());
        assert!(hosts.reach("localhost").allows(here));
        assert!(hosts.reach("printer.lan").allows(near) && !hosts.reach("printer.lan").allows(here));
        assert!(!hosts.reach("example.com").allows(near));
    }

    #[test]
    fn what_is_no_host_is_refused_by_name() {
        for bad in ["http://x", "x/y", "x:80", "*", "*.", "a.*.b", "a b", "[::1"] {
            let sentence = bad.parse::<CallbackHosts>().unwrap_err();
            assert!(sentence.contains(bad), "{sentence}");
        }
    }
}
