//! Labels by which a gateway scales a function: the author's, within the operator's bounds.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::str::FromStr;

use sdk::{Invalid, Reader};

use super::Refused;

const PREFIX: &str = "com.openfaas.scale.";
const TYPES: [&str; 4] = ["rps", "capacity", "cpu", "queue"];
const ZERO_SECONDS: RangeInclusive<u64> = 30..=24 * 3600;

type Labels = BTreeMap<String, String>;

#[derive(Debug)]
pub(super) struct Bounds {
    /// `scaling_min_limit`: replicas of a function whose author does not say.
    min: u64,
    /// `scaling_max_limit`: the most that an author may wish for.
    max: u64,
    /// `scaling_factor`.
    factor: u64,
    /// `scale_to_zero`: idle functions may be stopped unless their author says otherwise.
    zero: bool,
}

impl Bounds {
    pub(super) fn read(r: &Reader<'_>) -> Result<Self, Invalid> {
        let min = r.or("scaling_min_limit", 1);
        let max = r.or("scaling_max_limit", 4);
        let factor = r.or("scaling_factor", 20);
        let zero = r.flag("scale_to_zero", true);
        let bounds = Self { min: min?, max: max?, factor: factor?, zero: zero? };
        if bounds.min == 0 || bounds.min > bounds.max {
            return Err(r.invalid(
                "scaling_min_limit",
                format!("must be from 1 to scaling_max_limit, which is {}", bounds.max),
            ));
        }
        if bounds.factor > 100 {
            return Err(r.invalid("scaling_factor", "must be from 0 to 100"));
        }
        Ok(bounds)
    }

    /// All scaling labels of a function. Labels of other kinds are not the author's to set and are left out.
    pub(super) fn labels(&self, wishes: &Labels) -> Result<Labels, Refused> {
        let max = number(wishes, "max", 1..=self.max)?.unwrap_or(self.max);
        let min = number(wishes, "min", 1..=max)?.unwrap_or(self.min.min(max));
        let factor = number(wishes, "factor", 0..=100)?.unwrap_or(self.factor);
        let target = number(wishes, "target", 1..=1_000_000)?.map(|target| target.to_string());
        let zero = zero(wishes)?.or_else(|| self.zero.then_some(true));
        let all = [
            ("min", Some(min.to_string())),
            ("max", Some(max.to_string())),
            ("factor", Some(factor.to_string())),
            ("target", target),
            ("target-proportion", proportion(wishes)?),
            ("type", kind(wishes)?),
            ("zero", zero.map(|zero| zero.to_string())),
            ("zero-duration", zero_duration(wishes)?),
        ];
        Ok(all.into_iter().filter_map(|(name, value)| Some((format!("{PREFIX}{name}"), value?))).collect())
    }
}

fn wish<'a>(wishes: &'a Labels, name: &str) -> Option<&'a str> {
    wishes.get(&format!("{PREFIX}{name}")).map(|text| text.trim())
}

fn refused(name: &str, text: &str, rule: &str) -> Refused {
    Refused(format!("the label {PREFIX}{name}: {text:?} is not {rule}"))
}

fn number(wishes: &Labels, name: &str, range: RangeInclusive<u64>) -> Result<Option<u64>, Refused> {
    let Some(text) = wish(wishes, name) else { return Ok(None) };
    let rule = || refused(name, text, &format!("a whole number from {} to {}", range.start(), range.end()));
    let number = u64::from_str(text).ok().filter(|number| range.contains(number));
    number.ok_or_else(rule).map(Some)
}

fn proportion(wishes: &Labels) -> Result<Option<String>, Refused> {
    let Some(text) = wish(wishes, "target-proportion") else { return Ok(None) };
    let fits = text.len() <= 8 && f64::from_str(text).is_ok_and(|part| part > 0.0 && part <= 1.0);
    if fits {
        Ok(Some(text.to_owned()))
    } else {
        Err(refused("target-proportion", text, "a number above 0 and up to 1"))
    }
}

fn kind(wishes: &Labels) -> Result<Option<String>, Refused> {
    let Some(text) = wish(wishes, "type") else { return Ok(None) };
    if TYPES.contains(&text) {
        Ok(Some(text.to_owned()))
    } else {
        Err(refused("type", text, "rps, capacity, cpu or queue"))
    }
}

fn zero(wishes: &Labels) -> Result<Option<bool>, Refused> {
    match wish(wishes, "zero") {
        None => Ok(None),
        Some("true" | "1") => Ok(Some(true)),
        Some("false" | "0") => Ok(Some(false)),
        Some(other) => Err(refused("zero", other, "true or false")),
    }
}

fn zero_duration(wishes: &Labels) -> Result<Option<String>, Refused> {
    let Some(text) = wish(wishes, "zero-duration") else { return Ok(None) };
    let fits = seconds(text).is_some_and(|seconds| ZERO_SECONDS.contains(&seconds));
    if fits {
        Ok(Some(text.to_owned()))
    } else {
        Err(refused("zero-duration", text, "a duration such as 15m, from 30s to 24h"))
    }
}

/// Hours, minutes and seconds in Go's notation, as far as they make sense here: `1h30m`, `90s`.
fn seconds(text: &str) -> Option<u64> {
    let mut total = 0u64;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let factor = match rest.as_bytes()[end] {
            b'h' => 3600,
            b'm' => 60,
            b's' => 1,
            _ => return None,
        };
        total = total.checked_add(rest[..end].parse::<u64>().ok()?.checked_mul(factor)?)?;
        rest = &rest[end + 1..];
    }
    Some(total)
}
