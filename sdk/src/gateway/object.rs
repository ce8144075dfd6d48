//! How members of JSON objects are read.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Reads an object and nothing else. A derived struct would also take a list of its members' values, which is a slip
/// of a client's and no way to write one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Object<T>(
    /// What was read.
    pub T,
);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Objects(PhantomData))
    }
}

struct Objects<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Objects<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

/// `null` counts as absent: Go writes nil maps and slices so.
///
/// # Errors
/// When the value is neither `null` nor a `T`.
pub fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::Resources;

    #[test]
    fn a_list_of_values_is_no_object() {
        let read = |json| serde_json::from_str::<Object<Resources>>(json);
        assert_eq!(read("{\"cpu\":\"1\"}").unwrap().0.cpu, "1");
        for bad in ["[\"1Mi\",\"1\"]", "[]", "null", "5", "\"x\""] {
            assert!(read(bad).unwrap_err().to_string().contains("expected an object"), "{bad}");
        }
    }
}
