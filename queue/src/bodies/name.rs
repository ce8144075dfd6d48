//! The names of body files.

use crate::call::Fingerprint;

/// Fingerprint and a random number, both as hexadecimal digits: the number, because the same call may come in a second
/// time while the first one ends.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct BodyName(String);

const FINGERPRINT: usize = 32;
const NUMBER: usize = 16;

impl BodyName {
    pub(crate) fn new(fingerprint: &Fingerprint) -> Result<Self, getrandom::Error> {
        let mut number = [0; NUMBER / 2];
        getrandom::fill(&mut number)?;
        Ok(Self(format!("{}-{}", fingerprint.hex(), hex::encode(number))))
    }

    /// `None` for what [`BodyName::new`] cannot have made; so no name read from a store leads out of the directory.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (fingerprint, number) = text.split_once('-')?;
        let digits = |part: &str, length| {
            part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        };
        (digits(fingerprint, FINGERPRINT) && digits(number, NUMBER)).then(|| Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The fingerprint, as hexadecimal digits.
    pub(crate) fn fingerprint(&self) -> &str {
        &self.0[..FINGERPRINT]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back_and_nothing_else_is_one() {
        let name = BodyName::new(&Fingerprint([0xab; 16])).unwrap();
        assert_eq!(BodyName::parse(name.as_str()), Some(name.clone()));
        assert_eq!(name.fingerprint(), "ab".repeat(16));
        let long = "a".repeat(32);
        for bad in ["", ".lock", "../x", &format!("{long}-{}", "A".repeat(16)), &format!("{long}-../../../../../x")] {
            assert_eq!(BodyName::parse(bad), None, "{bad}");
        }
    }
}
