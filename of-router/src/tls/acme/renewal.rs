//! When a certificate is to be replaced.

use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use crate::tls::certificate::Certificate;
use crate::tls::host::Name;

/// Two thirds of the lifetime, and up to a thirtieth of it earlier. How much earlier depends on the name, so that
/// certificates that were ordered together are not replaced together, and is the same after each restart.
pub(super) fn due(name: &Name, certificate: &Certificate) -> SystemTime {
    due_between(name, certificate.not_before, certificate.not_after)
}

fn due_between(name: &Name, not_before: SystemTime, not_after: SystemTime) -> SystemTime {
    let lifetime = not_after.duration_since(not_before).unwrap_or(Duration::ZERO);
    let digest = Sha256::digest(name.to_string());
    let part = f64::from(digest.first().copied().unwrap_or_default()) / 256.0;
    not_before + (lifetime * 2 / 3).saturating_sub((lifetime / 30).mul_f64(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_due_at_different_times_about_two_thirds_through() {
        let day = Duration::from_secs(86400);
        let begin = SystemTime::UNIX_EPOCH + day;
        let due = |host: &str| due_between(&host.parse().unwrap(), begin, begin + 90 * day);
        let times: Vec<_> = (0..20).map(|n| due(&format!("h{n}.example.com"))).collect();
        for time in &times {
            assert!(*time > begin + 57 * day && *time <= begin + 60 * day);
        }
        let mut different = times.clone();
        different.sort();
        different.dedup();
        assert!(different.len() > 10);
        assert_eq!(due("h0.example.com"), times[0]);
        assert_eq!(due_between(&"a.example.com".parse().unwrap(), begin + day, begin), begin + day);
    }
}
