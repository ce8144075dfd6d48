//! Quantities in Kubernetes' notation, as deployments write them.

/// Below this the engine refuses to start a container.
const MIN_MEMORY: i64 = 6 << 20;
const NANOS_PER_CPU: f64 = 1e9;

/// A quantity that is not understood or out of bounds.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{what} \"{text}\" is not a quantity such as {example}{detail}")]
pub(crate) struct InvalidQuantity {
    what: &'static str,
    text: String,
    example: &'static str,
    detail: &'static str,
}

/// Bytes: `128Mi`, `1Gi`, `500M`, `134217728`, or `128m` as the engine's own command line has it.
pub(crate) fn memory(text: &str) -> Result<i64, InvalidQuantity> {
    let bytes = bytes(text)?;
    if bytes < MIN_MEMORY as f64 {
        return Err(invalid_memory(text, " of at least 6Mi"));
    }
    if bytes > i64::MAX as f64 / 2.0 {
        return Err(invalid_memory(text, " that a machine can have"));
    }
    Ok(bytes as i64)
}

/// Whether quantities that are set aside are well formed; empty ones are. Nothing is set aside on one machine, so how
/// large they are does not matter.
pub(crate) fn check_requests(memory: &str, cpu: &str) -> Result<(), InvalidQuantity> {
    if !memory.is_empty() {
        bytes(memory)?;
    }
    if !cpu.is_empty() {
        nanos(cpu)?;
    }
    Ok(())
}

fn invalid_memory(text: &str, detail: &'static str) -> InvalidQuantity {
    InvalidQuantity { what: "memory", text: text.to_owned(), example: "128Mi", detail }
}

fn invalid_cpu(text: &str, detail: &'static str) -> InvalidQuantity {
    InvalidQuantity { what: "cpu", text: text.to_owned(), example: "500m", detail }
}

fn bytes(text: &str) -> Result<f64, InvalidQuantity> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: f64 = match unit {
        "" | "b" => 1.0,
        "k" | "K" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "Ki" => 1024.0,
        "Mi" | "m" => 1024.0 * 1024.0,
        "Gi" | "g" => 1024.0 * 1024.0 * 1024.0,
        "Ti" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return Err(invalid_memory(text, "")),
    };
    number.parse::<f64>().map(|number| number * factor).map_err(|_| invalid_memory(text, ""))
}

/// Billionths of a processor: `500m`, `0.5`, `2`.
pub(crate) fn cpu(text: &str) -> Result<i64, InvalidQuantity> {
    let nanos = nanos(text)?;
    if nanos < 10_000_000.0 {
        return Err(invalid_cpu(text, " of at least 10m"));
    }
    if nanos > 1024.0 * NANOS_PER_CPU {
        return Err(invalid_cpu(text, " that a machine can have"));
    }
    Ok(nanos as i64)
}

fn nanos(text: &str) -> Result<f64, InvalidQuantity> {
    let (number, divisor) = match text.strip_suffix('m') {
        Some(number) => (number, 1000.0),
        None => (text, 1.0),
    };
    if !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(invalid_cpu(text, ""));
    }
    number.parse::<f64>().map(|number| number / divisor * NANOS_PER_CPU).map_err(|_| invalid_cpu(text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_in_all_notations() {
        for (text, bytes) in [
            ("128Mi", 128 << 20),
            ("128m", 128 << 20),
            ("1Gi", 1 << 30),
            ("0.5Gi", 512 << 20),
            ("500M", 500_000_000),
            ("134217728", 128 << 20),
        ] {
            assert_eq!(memory(text), Ok(bytes), "{text}");
        }
        for bad in ["", "Mi", "1", "-5Mi", "lots", "5Mi", "1e9", "128MiB", "99999999Ti", "1.2.3Gi"] {
            assert!(memory(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn processors_in_all_notations() {
        for (text, nanos) in [("500m", 500_000_000), ("0.5", 500_000_000), ("2", 2_000_000_000), ("10m", 10_000_000)] {
            assert_eq!(cpu(text), Ok(nanos), "{text}");
        }
        for bad in ["", "m", "1m", "0", "-1", "half", "inf", "nan", "5000"] {
            assert!(cpu(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_set_aside_may_be_little_but_has_to_be_a_quantity() {
        for (memory, cpu) in [("", ""), ("1Ki", "1m"), ("0", "0"), ("2Gi", "64")] {
            assert_eq!(check_requests(memory, cpu), Ok(()), "{memory} {cpu}");
        }
        for (memory, cpu) in [("much", ""), ("", "much"), ("1.2.3", "1"), ("-1", ""), ("", "-1"), (".", "")] {
            assert!(check_requests(memory, cpu).is_err(), "{memory} {cpu}");
        }
    }
}
