//! Moments as people write them.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};

/// A moment, or how long ago it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Ago(Duration),
    At(DateTime<Utc>),
}

impl Moment {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if let Some(ago) = sdk::parse_duration(text) {
            return Ok(Self::Ago(ago));
        }
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::At(time.to_utc()));
        }
        let time = |format| NaiveDateTime::parse_from_str(text, format).ok();
        let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0);
        let time = time("%Y-%m-%d %H:%M:%S").or_else(|| time("%Y-%m-%d %H:%M")).or_else(day);
        time.map(|time| Self::At(time.and_utc())).ok_or_else(|| {
            "has to be how long ago, such as 10m or 2h, or a time such as 2026-01-02 or '2026-01-02 03:04'".to_owned()
        })
    }

    /// In milliseconds since 1970, seen from `now`.
    pub(super) fn before(self, now: DateTime<Utc>) -> u64 {
        let time = match self {
            Self::Ago(ago) => TimeDelta::from_std(ago).ok().and_then(|ago| now.checked_sub_signed(ago)),
            Self::At(time) => Some(time),
        };
        time.and_then(|time| u64::try_from(time.timestamp_millis()).ok()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_utc() {
        let now = DateTime::from_timestamp(1_767_323_045, 0).unwrap();
        let millis = |text: &str| Moment::parse(text).map(|moment| moment.before(now));
        assert_eq!(millis("0"), Ok(1_767_323_045_000));
        assert_eq!(millis("1h30m"), Ok(1_767_317_645_000));
        assert_eq!(millis("2026-01-02T04:04:05+01:00"), Ok(1_767_323_045_000));
        assert_eq!(millis("2026-01-02 03:04:05"), Ok(1_767_323_045_000));
        assert_eq!(millis("2026-01-02 03:04"), Ok(1_767_323_040_000));
        assert_eq!(millis("2026-01-02"), Ok(1_767_312_000_000));
        assert_eq!(millis("1e15"), Ok(0), "before there were times");
        for wrong in ["", "soon", "yesterday", "2026-13-01", "03:04", "-1h"] {
            assert!(millis(wrong).unwrap_err().contains("2h"), "{wrong}");
        }
    }
}
