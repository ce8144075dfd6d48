//! The ports on which a platform's process listens, from the kernel: some are on no banner.

use std::collections::HashSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// `LISTEN` in `/proc/net/tcp`.
const LISTENING: &str = "0A";

/// All listening sockets of a process.
pub(crate) fn listening(process: u32) -> Vec<SocketAddr> {
    let inodes: HashSet<String> = fs::read_dir(format!("/proc/{process}/fd"))
        .unwrap()
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let mut found = Vec::new();
    for family in ["tcp", "tcp6"] {
        let table = fs::read_to_string(format!("/proc/{process}/net/{family}")).unwrap_or_default();
        for line in table.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [_, local, _, state, _, _, _, _, _, inode, ..] = fields.as_slice() else { continue };
            if *state == LISTENING && inodes.contains(*inode) {
                found.extend(address(local));
            }
        }
    }
    found
}

/// An address as the kernel writes it. One of version 6 is given as "everywhere": none is expected.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let ip = match ip.len() {
        8 => IpAddr::from(Ipv4Addr::from(u32::from_str_radix(ip, 16).ok()?.to_le_bytes())),
        _ => IpAddr::from(Ipv4Addr::UNSPECIFIED),
    };
    Some(SocketAddr::new(ip, port))
}
