//! What is asked, as `PromQL`. Nothing that somebody else has written gets into it but through [`Selector`].

use std::fmt;

use crate::owned::Owned;

/// The matcher that finds these functions and no others: `function_name=~"a\\.ns|b\\.ns"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selector(String);

impl Selector {
    pub(super) fn of(functions: &[Owned]) -> Self {
        Self::new(functions.iter().map(Owned::full_name))
    }

    /// Names become literal parts of a regular expression, and that becomes a literal string.
    fn new(names: impl Iterator<Item = String>) -> Self {
        let names: Vec<_> = names.map(|name| quoted(&literal(&name))).collect();
        Self(format!("function_name=~\"{}\"", names.join("|")))
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A regular expression that matches this text only.
fn literal(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_') || !c.is_ascii() || c.is_ascii_control();
    text.chars().flat_map(|c| (!plain(c)).then_some('\\').into_iter().chain([c])).collect()
}

/// What stands between the quotes for this text.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '"' => quoted.extend(['\\', c]),
            c if c.is_ascii_control() => quoted.push_str(&format!("\\x{:02x}", c as u32)),
            c => quoted.push(c),
        }
    }
    quoted
}

/// Which share of the calls stayed below a latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Share {
    Half,
    Of95,
    Of99,
}

impl Share {
    fn query(self, selector: &Selector, seconds: u64) -> String {
        let share = match self {
            Self::Half => "0.5",
            Self::Of95 => "0.95",
            Self::Of99 => "0.99",
        };
        let buckets = format!("increase(gateway_functions_seconds_bucket{{{selector}}}[{seconds}s])");
        format!("histogram_quantile({share}, sum by (function_name, le) ({buckets}))")
    }
}

/// One figure for the whole window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sum {
    Codes,
    Latency(Share),
}

impl Sum {
    pub(super) const ALL: [Self; 4] =
        [Self::Codes, Self::Latency(Share::Half), Self::Latency(Share::Of95), Self::Latency(Share::Of99)];

    pub(super) fn query(self, selector: &Selector, seconds: u64) -> String {
        match self {
            Self::Codes => format!(
                "sum by (function_name, code) (increase(gateway_function_invocation_total{{{selector}}}[{seconds}s]))"
            ),
            Self::Latency(share) => share.query(selector, seconds),
        }
    }
}

/// One figure for each point of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Curve {
    Success,
    Failure,
    Latency(Share),
    Replicas,
    Memory,
    Cpu,
}

impl Curve {
    pub(super) const ALL: [Self; 8] = [
        Self::Success,
        Self::Failure,
        Self::Latency(Share::Half),
        Self::Latency(Share::Of95),
        Self::Latency(Share::Of99),
        Self::Replicas,
        Self::Memory,
        Self::Cpu,
    ];

    pub(super) fn query(self, selector: &Selector, seconds: u64) -> String {
        let calls = |codes: &str| {
            let total = format!("gateway_function_invocation_total{{{selector},code{codes}\"[23]..\"}}");
            format!("sum by (function_name) (increase({total}[{seconds}s]))")
        };
        match self {
            Self::Success => calls("=~"),
            Self::Failure => calls("!~"),
            Self::Latency(share) => share.query(selector, seconds),
            Self::Replicas => format!("max by (function_name) (gateway_service_count{{{selector}}})"),
            Self::Memory => format!("sum by (function_name) (pod_memory_working_set_bytes{{{selector}}})"),
            Self::Cpu => {
                format!("sum by (function_name) (rate(pod_cpu_usage_seconds_total{{{selector}}}[{seconds}s]))")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selector(names: &[&str]) -> String {
        Selector::new(names.iter().map(|name| (*name).to_owned())).to_string()
    }

    #[test]
    fn names_are_literal_whatever_is_in_them() {
        assert_eq!(selector(&["a-b.ns", "c.ns"]), r#"function_name=~"a-b\\.ns|c\\.ns""#);
        assert_eq!(selector(&[r#"a"} or up{x=""#]), r#"function_name=~"a\\\"\\}\\ or\\ up\\{x\\=\\\"""#);
        assert_eq!(selector(&[".*|.+"]), r#"function_name=~"\\.\\*\\|\\.\\+""#);
        assert_eq!(selector(&["a\\\n\u{7f}"]), r#"function_name=~"a\\\\\x0a\x7f""#);
        assert_eq!(selector(&["ä"]), r#"function_name=~"ä""#);
    }

    #[test]
    fn queries_are_those_that_the_gateway_has_series_for() {
        let one = Selector::new(["a.ns".to_owned()].into_iter());
        assert_eq!(
            Sum::Codes.query(&one, 3600),
            "sum by (function_name, code) (increase(gateway_function_invocation_total{function_name=~\"a\\\\.ns\"}[3600s]))"
        );
        assert_eq!(
            Curve::Failure.query(&one, 60),
            "sum by (function_name) (increase(gateway_function_invocation_total{function_name=~\"a\\\\.ns\",code!~\"[23]..\"}[60s]))"
        );
    }
}
