//! Identifiers of calls: random UUIDs, made from random bytes that are fetched many at a time.

use std::cell::RefCell;

use http::HeaderValue;

const SIZE: usize = 16;
const AT_ONCE: usize = 256;
const HEX: &[u8; 16] = b"0123456789abcdef";

struct Store {
    bytes: [u8; SIZE * AT_ONCE],
    used: usize,
}

thread_local! {
    static STORE: RefCell<Store> = const { RefCell::new(Store { bytes: [0; SIZE * AT_ONCE], used: AT_ONCE }) };
}

/// One call's identifier.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct CallId([u8; 36]);

impl CallId {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("none")
    }

    /// As a header says it.
    pub(crate) fn value(&self) -> HeaderValue {
        HeaderValue::from_bytes(&self.0).unwrap_or_else(|_| HeaderValue::from_static("none"))
    }
}

impl std::fmt::Debug for CallId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A new identifier.
pub(crate) fn next() -> CallId {
    let bytes = STORE.with_borrow_mut(|store| {
        if store.used >= AT_ONCE {
            if getrandom::fill(&mut store.bytes).is_err() {
                return *uuid::Uuid::new_v4().as_bytes();
            }
            store.used = 0;
        }
        let mut id = [0; SIZE];
        id.copy_from_slice(&store.bytes[store.used * SIZE..][..SIZE]);
        store.used += 1;
        id
    });
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (index, byte) in bytes.into_iter().enumerate() {
        // The version and the variant of a random UUID.
        let byte = match index {
            6 => byte & 0x0f | 0x40,
            8 => byte & 0x3f | 0x80,
            _ => byte,
        };
        if matches!(index, 4 | 6 | 8 | 10) {
            at += 1;
        }
        text[at] = HEX[usize::from(byte >> 4)];
        text[at + 1] = HEX[usize::from(byte & 0x0f)];
        at += 2;
    }
    CallId(text)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn identifiers_are_uuids_and_differ() {
        let ids: HashSet<String> = (0..1000).map(|_| super::next().as_str().to_owned()).collect();
        assert_eq!(ids.len(), 1000);
        for id in ids {
            let id: uuid::Uuid = id.parse().unwrap();
            assert_eq!((id.get_version_num(), id.get_variant()), (4, uuid::Variant::RFC4122));
        }
    }
}
