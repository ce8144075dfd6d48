//! How many connections one client has.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Connections by address.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clients(Arc<Mutex<HashMap<IpAddr, u32>>>);

/// One connection's part in its address's count.
#[derive(Debug)]
pub(crate) struct Counted {
    clients: Clients,
    key: IpAddr,
}

impl Clients {
    /// Counts one more connection of this address, unless it has `limit` already. 0 is no limit.
    pub(crate) fn enter(&self, address: IpAddr, limit: u32) -> Option<Counted> {
        let key = key(address);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key).or_insert(0);
        if limit != 0 && *count >= limit {
            return None;
        }
        *count += 1;
        Some(Counted { clients: self.clone(), key })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.clients.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

/// A customer of IPv6 has a /64 and can use every address of it.
fn key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let s = address.segments();
            IpAddr::V6(Ipv6Addr::new(s[0], s[1], s[2], s[3], 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_and_a_network_of_ipv6_is_one() {
        let clients = Clients::default();
        let enter = |address: &str| clients.enter(address.parse().unwrap(), 2);
        let first = enter("2001:db8::1").unwrap();
        let _second = enter("2001:db8::ffff").unwrap();
        assert!(enter("2001:db8::2").is_none());
        assert!(enter("2001:db8:0:1::2").is_some());
        drop(first);
        assert!(enter("2001:db8::2").is_some());
        let mapped = enter("::ffff:10.0.0.1").unwrap();
        let _same = enter("10.0.0.1").unwrap();
        assert!(enter("10.0.0.1").is_none());
        drop(mapped);
        assert!(enter("10.0.0.1").is_some());
    }
}
