//! Times in the ways that ISO 8601 has of writing them, as the Python library iso8601 reads them.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime, TimeDelta, Utc};

/// What is still to be read.
struct Rest<'a>(&'a str);

/// A time; without an offset it is UTC. What is left out at the end is the first of its kind: `2026` is its first moment.
pub(super) fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    let mut rest = Rest(text);
    let date = rest.date()?;
    if rest.0.is_empty() {
        return Some(date.and_time(NaiveTime::MIN).and_utc());
    }
    let time = rest.time()?;
    let offset = rest.offset()?;
    let at = date.and_time(time).checked_sub_signed(TimeDelta::seconds(offset.local_minus_utc().into()))?;
    rest.0.is_empty().then(|| at.and_utc())
}

impl Rest<'_> {
    /// `2026`, `2026-01`, `2026-1-5`, `20260105`; but not `202601`.
    fn date(&mut self) -> Option<NaiveDate> {
        let year = self.digits(4, 4)?;
        let (mut month, mut day) = (1, 1);
        if !self.0.is_empty() {
            let dashed = self.skip("-");
            month = if dashed { self.digits(1, 2)? } else { self.digits(2, 2)? };
            if !self.0.is_empty() {
                day = if self.skip("-") { self.digits(1, 2)? } else { self.digits(2, 2)? };
            } else if !dashed {
                return None;
            }
        }
        NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day).filter(|_| year > 0)
    }

    /// `T10`, ` 10:00`, `T1000`, `T10:00:00,5`
    fn time(&mut self) -> Option<NaiveTime> {
        if !self.skip("T") && !self.skip(" ") {
            return None;
        }
        let hour = self.digits(2, 2)?;
        let (mut minute, mut second, mut nanos) = (0, 0, 0);
        if self.is_next_part() {
            self.skip(":");
            minute = self.digits(2, 2)?;
        }
        if self.is_next_part() {
            self.skip(":");
            second = self.digits(1, 2)?;
            if self.skip(".") || self.skip(",") {
                nanos = self.fraction()?;
            }
        }
        NaiveTime::from_hms_micro_opt(hour, minute, second, nanos)
    }

    /// `Z`, `+02`, `+0200`, `-02:00`, or nothing.
    fn offset(&mut self) -> Option<FixedOffset> {
        if self.0.is_empty() || self.skip("Z") {
            return FixedOffset::east_opt(0);
        }
        let west = self.skip("-");
        if !west && !self.skip("+") {
            return None;
        }
        let hours = self.digits(2, 2)?;
        self.skip(":");
        let minutes = if self.0.is_empty() { 0 } else { self.digits(2, 2)? };
        let seconds = i32::try_from(hours * 3600 + minutes * 60).ok()?;
        FixedOffset::east_opt(if west { -seconds } else { seconds })
    }

    fn is_next_part(&self) -> bool {
        self.0.strip_prefix(':').unwrap_or(self.0).starts_with(|it: char| it.is_ascii_digit())
    }

    /// As many digits as there are, up to `most`.
    fn digits(&mut self, least: usize, most: usize) -> Option<u32> {
        let count = self.0.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.0.split_at_checked(count).filter(|_| count >= least)?;
        self.0 = rest;
        digits.parse().ok()
    }

    /// Microseconds; what is finer is cut off.
    fn fraction(&mut self) -> Option<u32> {
        let count = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.0.split_at_checked(count).filter(|_| count > 0)?;
        self.0 = rest;
        format!("{digits:0<6}").get(..6)?.parse().ok()
    }

    fn skip(&mut self, text: &str) -> bool {
        let rest = self.0.strip_prefix(text);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(text: &str, wanted: &str) {
        let found = parse_time(text).map(|it| it.format("%Y-%m-%d %H:%M:%S%.f").to_string());
        assert_eq!(found.as_deref(), Some(wanted), "{text}");
    }

    #[test]
    fn every_way_of_writing_it() {
        for text in ["2026-01-05", "20260105", "2026-1-5", "2026-0105", "202601-5", "2026-01-05T00", "20260105 0000Z"] {
            is(text, "2026-01-05 00:00:00");
        }
        is("2026", "2026-01-01 00:00:00");
        is("2026-1", "2026-01-01 00:00:00");
        for text in ["2026-01-05T10:00:00+02:00", "2026-01-05T10:00+0200", "20260105T100000+02", "2026-01-05 06-02:00"]
        {
            is(text, "2026-01-05 08:00:00");
        }
        is("2026-01-05T10:00:00,5Z", "2026-01-05 10:00:00.500");
        is("2026-01-05T10:00:00.1234567891", "2026-01-05 10:00:00.123456");
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "x",
            "26",
            "202601",
            "2026-",
            "2026-13",
            "2026-W02",
            "2026-005",
            "2026-02-30",
            " 2026",
            "2026-01-05T",
            "2026-01-05t10:00",
            "2026-01-05T10:00z",
            "2026-01-05T24:00",
            "2026-01-05T10:60",
            "2026-01-05T10:00:60",
            "2026-01-05T1:2:3",
            "2026-01-05T10:00:00 +02:00",
            "2026-01-05T10:00:00+2",
            "2026-01-05T10:00:00-24:00",
            "2026-01-05T10:00:00\u{2212}02:00",
            "2026-01-05T10:00:00.Z",
            "0000-01-01",
            "é026-01-01",
        ] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }
}
