//! Identities for calls that come without one.
//!
//! Randomness is fetched for many at a time: one by one, the system call was a fifth of all that a request makes.

use std::cell::RefCell;

use http::HeaderValue;
use uuid::{Builder, Uuid};

const ID: usize = 16;
const STOCK: usize = 256 * ID;

thread_local! {
    static RANDOM: RefCell<Stock> = const { RefCell::new(Stock { bytes: [0; STOCK], used: STOCK }) };
}

struct Stock {
    bytes: [u8; STOCK],
    used: usize,
}

impl Stock {
    /// Sixteen bytes that were never handed out before; `None` if the system has none.
    fn take(&mut self) -> Option<[u8; ID]> {
        if self.used == STOCK {
            getrandom::fill(&mut self.bytes).ok()?;
            self.used = 0;
        }
        let taken = self.bytes.get(self.used..self.used + ID)?.try_into().ok()?;
        self.used += ID;
        Some(taken)
    }
}

/// A random UUID.
pub(crate) fn random() -> HeaderValue {
    let bytes = RANDOM.with_borrow_mut(Stock::take);
    let id = bytes.map_or_else(Uuid::new_v4, |bytes| Builder::from_random_bytes(bytes).into_uuid());
    let mut buffer = Uuid::encode_buffer();
    let text = id.hyphenated().encode_lower(&mut buffer);
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("unknown"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_identity_comes_twice() {
        let ids: HashSet<_> = (0..1000).map(|_| random()).collect();
        assert_eq!(ids.len(), 1000);
        for id in ids {
            assert_eq!(Uuid::parse_str(id.to_str().unwrap()).unwrap().get_version_num(), 4);
        }
    }
}
