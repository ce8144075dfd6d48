//! The rules themselves.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use super::program::{Family, Trouble, families, restore, run, succeeds};
use super::{Bridge, is_here};

/// Where clouds hand out credentials to whoever asks from their machines: the link-local addresses that nearly all
/// use, and those of Azure, Alibaba and Oracle.
const METADATA: [&str; 4] = ["169.254.0.0/16", "168.63.129.16", "100.100.100.200", "192.0.0.192"];
const REJECT: &str = "-j REJECT --reject-with icmp-admin-prohibited";

/// What is let through, and what is not.
pub(super) struct Rules<'a> {
    pub(super) instance: &'a str,
    pub(super) bridge: &'a Bridge,
    /// TCP ports of the host.
    pub(super) ports: Vec<u16>,
    pub(super) blocked: Vec<&'a str>,
    pub(super) resolvers: Vec<Ipv4Addr>,
}

/// The chain for packets to the host itself.
pub(super) fn to_host(instance: &str) -> String {
    format!("OF-{instance}-IN")
}

/// The chain for packets through the host to elsewhere.
pub(super) fn through_host(instance: &str) -> String {
    format!("OF-{instance}-OUT")
}

impl Rules<'_> {
    /// Puts the rules in place; those of before are replaced in one step.
    pub(super) async fn put(&self) -> Result<(), Trouble> {
        if !is_here(&self.bridge.interface) {
            return Err(Trouble::Closed(format!(
                "this machine has no interface {}: the engine runs elsewhere, or the gateway in a container without \
                 the host's network",
                self.bridge.interface
            )));
        }
        for (family, text) in self.texts() {
            restore(family, &text).await?;
            for (parent, chain) in self.jumps(family).await {
                let jump = ["-i", &self.bridge.interface, "-j", &chain];
                if !succeeds(family, &[&["-C", parent][..], &jump].concat()).await {
                    // First, so that no rule of somebody else lets packets through before.
                    run(family, &[&["-I", parent, "1"][..], &jump].concat()).await?;
                }
            }
        }
        Ok(())
    }

    pub(super) async fn are_in_place(&self) -> bool {
        for (family, _) in self.texts() {
            for (parent, chain) in self.jumps(family).await {
                if !succeeds(family, &["-C", parent, "-i", &self.bridge.interface, "-j", &chain]).await {
                    return false;
                }
            }
        }
        true
    }

    fn texts(&self) -> impl Iterator<Item = (Family, String)> {
        families().map(|family| match family {
            Family::V4 => (family, self.v4()),
            Family::V6 => (family, self.v6()),
        })
    }

    /// Docker asks `DOCKER-USER` before its own rules; other engines, and IPv6, have no such chain.
    async fn jumps(&self, family: Family) -> [(&'static str, String); 2] {
        let user = family == Family::V4 && succeeds(family, &["-S", "DOCKER-USER"]).await;
        let forward = if user { "DOCKER-USER" } else { "FORWARD" };
        [("INPUT", to_host(self.instance)), (forward, through_host(self.instance))]
    }

    /// Naming a chain with a colon makes it, or empties it.
    fn v4(&self) -> String {
        let (input, output) = (to_host(self.instance), through_host(self.instance));
        let mut text = format!("*filter\n:{input} - [0:0]\n:{output} - [0:0]\n");
        let mut rule = |chain: &str, rule: String| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "-A {chain} {rule}");
        };
        // The answers of containers to what the gateway asks them.
        rule(&input, "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT".to_owned());
        for port in &self.ports {
            rule(&input, format!("-d {} -p tcp --dport {port} -j ACCEPT", self.bridge.gateway));
        }
        for (protocol, resolver) in ["udp", "tcp"].iter().flat_map(|p| self.resolvers.iter().map(move |r| (p, r))) {
            rule(&input, format!("-d {resolver} -p {protocol} --dport 53 -j ACCEPT"));
            rule(&output, format!("-d {resolver} -p {protocol} --dport 53 -j RETURN"));
        }
        rule(&input, REJECT.to_owned());
        rule(&output, format!("-o {} {REJECT}", self.bridge.interface));
        for network in METADATA.iter().chain(&self.blocked) {
            rule(&output, format!("-d {network} {REJECT}"));
        }
        text + "COMMIT\n"
    }

    /// Functions' networks carry IPv4 only; whatever else comes from one is stray.
    fn v6(&self) -> String {
        let (input, output) = (to_host(self.instance), through_host(self.instance));
        format!("*filter\n:{input} - [0:0]\n:{output} - [0:0]\n-A {input} -j DROP\n-A {output} -j DROP\nCOMMIT\n")
    }
}

/// The IPv4 name servers in a `resolv.conf`.
pub(super) fn name_servers(text: &str) -> Vec<Ipv4Addr> {
    let servers = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    servers.filter_map(|rest| rest.split_whitespace().next()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_read_as_the_engine_does() {
        let text = "# a comment\nsearch example.com\nnameserver 10.0.0.2\n nameserver\t169.254.169.253 # cloud\n\
                    nameserver fe80::1%eth0\nnameserver\n";
        assert_eq!(name_servers(text), [Ipv4Addr::new(10, 0, 0, 2), Ipv4Addr::new(169, 254, 169, 253)]);
    }
}
