//! The five fields of a cron expression.

use std::fmt::Write;

/// The values that each field allows.
pub(super) struct Fields {
    minute: Field,
    hour: Field,
    day: Field,
    month: Field,
    weekday: Field,
}

struct Field {
    /// Bit n: the value n.
    values: u64,
    /// It starts with `*`.
    star: bool,
    /// It is `*`.
    all: bool,
}

struct Kind {
    what: &'static str,
    first: u32,
    last: u32,
    names: &'static [&'static str],
}

const MINUTE: Kind = Kind { what: "minute", first: 0, last: 59, names: &[] };
const HOUR: Kind = Kind { what: "hour", first: 0, last: 23, names: &[] };
const DAY: Kind = Kind { what: "day of the month", first: 1, last: 31, names: &[] };
const MONTH: Kind = Kind {
    what: "month",
    first: 1,
    last: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
const WEEKDAY: Kind =
    Kind { what: "day of the week", first: 0, last: 7, names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] };

const LONGEST: usize = 512;

// === impl Fields ===

impl Fields {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("it is longer than {LONGEST} characters"));
        }
        let text = match text.strip_prefix('@') {
            Some(word) => spelled_out(word)?,
            None => text,
        };
        let parts: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = parts[..] else {
            return Err(format!(
                "it has {} fields, and takes five: minute, hour, day of the month, month, day of the week",
                parts.len()
            ));
        };
        let mut weekday = Field::parse(weekday, &WEEKDAY)?;
        // 7 is Sunday too.
        weekday.values = (weekday.values | weekday.values >> 7) & 0x7f;
        Ok(Self {
            minute: Field::parse(minute, &MINUTE)?,
            hour: Field::parse(hour, &HOUR)?,
            day: Field::parse(day, &DAY)?,
            month: Field::parse(month, &MONTH)?,
            weekday,
        })
    }

    pub(super) fn every_hour(&self) -> bool {
        self.hour.all
    }

    /// In the `cron` crate's dialect; of two, either counts.
    pub(super) fn expressions(&self) -> Vec<String> {
        let (day, weekday) = (self.day.list(&DAY), self.weekday.days());
        let with = |day: &str, weekday: &str| {
            let (minute, hour, month) = (self.minute.list(&MINUTE), self.hour.list(&HOUR), self.month.list(&MONTH));
            format!("0 {minute} {hour} {day} {month} {weekday}")
        };
        if self.day.star || self.weekday.star {
            vec![with(&day, &weekday)]
        } else {
            vec![with(&day, "*"), with("*", &weekday)]
        }
    }
}

/// What `@hourly` and its like stand for.
fn spelled_out(word: &str) -> Result<&'static str, String> {
    match word.to_ascii_lowercase().as_str() {
        "hourly" => Ok("0 * * * *"),
        "daily" | "midnight" => Ok("0 0 * * *"),
        "weekly" => Ok("0 0 * * 0"),
        "monthly" => Ok("0 0 1 * *"),
        "yearly" | "annually" => Ok("0 0 1 1 *"),
        _ => Err("of the words there are @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually".to_owned()),
    }
}

// === impl Field ===

impl Field {
    fn parse(text: &str, kind: &Kind) -> Result<Self, String> {
        let mut values = 0;
        for part in text.split(',') {
            values |= kind.part(part)?;
        }
        Ok(Self { values, star: text.starts_with('*'), all: text == "*" })
    }

    fn list(&self, kind: &Kind) -> String {
        if self.all {
            return "*".to_owned();
        }
        let mut text = String::new();
        for value in (kind.first..=kind.last).filter(|it| self.values & (1 << it) != 0) {
            let _ = write!(text, "{}{value}", if text.is_empty() { "" } else { "," });
        }
        text
    }

    fn days(&self) -> String {
        if self.all || self.values == 0x7f {
            return "*".to_owned();
        }
        let days: Vec<&str> = (0..7).filter(|it| self.values & (1 << it) != 0).map(|it| WEEKDAY.names[it]).collect();
        days.join(",")
    }
}

// === impl Kind ===

impl Kind {
    /// `*`, `5`, `1-5`, `mon-fri`, each but the plain value with an optional `/step`.
    fn part(&self, part: &str) -> Result<u64, String> {
        let (range, step) = match part.split_once('/') {
            None => (part, 1),
            Some((range, step)) => {
                let step = step.parse::<u32>().ok().filter(|it| (1..=self.last).contains(it));
                (range, step.ok_or_else(|| format!("the step of '{part}' ({}) is not 1 to {}", self.what, self.last))?)
            }
        };
        let (from, to) = if range == "*" {
            (self.first, self.last)
        } else if let Some((from, to)) = range.split_once('-') {
            (self.value(from)?, self.value(to)?)
        } else if part.contains('/') {
            return Err(format!("a step takes a range: '{range}-{}/{step}' ({})", self.last, self.what));
        } else {
            let value = self.value(range)?;
            (value, value)
        };
        if from > to {
            return Err(format!("the range '{range}' ({}) runs backwards; write two ranges with a comma", self.what));
        }
        // `*` over weekdays must not count Sunday twice: 0 and 7 would shift a step.
        let to = if range == "*" && self.last == 7 { 6 } else { to };
        Ok((from..=to).step_by(step as usize).fold(0, |bits, value| bits | 1 << value))
    }

    fn value(&self, text: &str) -> Result<u32, String> {
        let lower = text.to_ascii_lowercase();
        let named = (self.first..).zip(self.names).find(|(_, name)| **name == lower).map(|(value, _)| value);
        // `parse` alone would take a sign.
        let number = text.bytes().all(|it| it.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        named.or(number).filter(|it| (self.first..=self.last).contains(it)).ok_or_else(|| {
            let names = match self.names {
                [first, .., last] => format!(" or {first} to {last}"),
                _ => String::new(),
            };
            format!("'{text}' is no {} ({} to {}{names})", self.what, self.first, self.last)
        })
    }
}
