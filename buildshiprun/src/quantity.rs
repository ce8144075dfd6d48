//! Quantities of memory and processors in Kubernetes' notation, in whole bytes and thousandths.

const MIB: u64 = 1024 * 1024;

/// Bytes: `128Mi`, `1Gi`, `500M`, `134217728`. `128m` means 128Mi, as it does for container engines; nobody means
/// Kubernetes' thousandths of a byte.
pub(crate) fn memory(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit {
        "" => 1,
        "k" | "K" => 1000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "Ki" => 1024,
        "Mi" | "m" => MIB,
        "Gi" | "g" => 1024 * MIB,
        _ => return None,
    };
    scaled(number, factor)
}

/// Thousandths of a processor: `500m`, `0.5`, `2`.
pub(crate) fn cpu(text: &str) -> Option<u64> {
    match text.strip_suffix('m') {
        Some(number) => scaled(number, 1),
        None => scaled(text, 1000),
    }
}

/// The notation that every gateway understands.
pub(crate) fn show_memory(bytes: u64) -> String {
    if bytes.is_multiple_of(MIB) { format!("{}Mi", bytes / MIB) } else { bytes.to_string() }
}

/// As [`show_memory`], for thousandths of a processor.
pub(crate) fn show_cpu(milli: u64) -> String {
    format!("{milli}m")
}

/// `number * factor`, where that is a quantity that a machine can have.
fn scaled(number: &str, factor: u64) -> Option<u64> {
    let plain = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let value = plain.then(|| number.parse::<f64>().ok())?? * factor as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "in bounds, and nobody counts half bytes"
    )]
    (1.0..1e15).contains(&value).then_some(value as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_and_shown() {
        assert_eq!(memory("128Mi"), Some(128 * MIB));
        assert_eq!(memory("128m"), memory("128Mi"));
        assert_eq!(memory("0.5Gi"), memory("512Mi"));
        assert_eq!(memory("134217728"), memory("128Mi"));
        assert_eq!((cpu("500m"), cpu("0.5"), cpu("2")), (Some(500), Some(500), Some(2000)));
        assert_eq!(
            (show_memory(128 * MIB).as_str(), show_memory(1000).as_str(), show_cpu(500).as_str()),
            ("128Mi", "1000", "500m")
        );
        for wrong in ["", "Mi", "-1Mi", "1e9", "128 Mi", "128Xi", "0", "inf", "NaN", "99999999999999Gi", "1..2"] {
            assert_eq!(memory(wrong), None, "{wrong}");
        }
        for wrong in ["", "m", "-1", "1e3", "0", "half"] {
            assert_eq!(cpu(wrong), None, "{wrong}");
        }
    }
}
