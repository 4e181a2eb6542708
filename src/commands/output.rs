//! How results look: PrettyTable's tables, times and rates in words.

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, presets::ASCII_FULL_CONDENSED};
use serde::Serialize;
use std::io::{self, Write};
use terminal_size::{Width, terminal_size_of};

/// Where the text of a column stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Centre,
    Right,
}

/// A table as PrettyTable draws it: one space on each side, headings where their cells are. Without a line break at the end.
pub(super) fn table(columns: &[(&str, Align)], rows: &[Vec<String>]) -> String {
    let width = |at: usize, heading: &str| {
        let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
        cells.chain([heading.chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = columns.iter().enumerate().map(|(at, (heading, _))| width(at, heading)).collect();
    let mut table = Table::new();
    table.load_style(ASCII_FULL_CONDENSED.header_separator(LineStyle::new('+', '-', '+', '+')));
    // The cells are padded here, since PrettyTable centres odd rests by a rule of its own.
    table.set_header(columns.iter().zip(&widths).map(|((heading, align), width)| padded(heading, *width, *align)));
    for row in rows {
        let cells = row.iter().zip(columns).zip(&widths);
        table.add_row(cells.map(|((cell, (_, align)), width)| padded(cell, *width, *align)));
    }
    table.to_string()
}

/// A table for people: as [`table`], but where the terminal is too narrow for it, long cells are broken into lines.
pub(super) fn fitted(columns: &[(&str, Align)], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_style(ASCII_FULL_CONDENSED.header_separator(LineStyle::new('+', '-', '+', '+')));
    table.set_header(columns.iter().map(|(heading, _)| *heading));
    table.add_rows(rows);
    for (column, (_, align)) in table.column_iter_mut().zip(columns) {
        if *align == Align::Right {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    if let Some((Width(width), _)) = terminal_size_of(io::stdout()) {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    table.to_string()
}

fn padded(text: &str, width: usize, align: Align) -> String {
    let len = text.chars().count();
    let rest = width.saturating_sub(len);
    let before = match align {
        Align::Left => 0,
        Align::Right => rest,
        // PrettyTable: the odd space goes after a text of odd length, before one of even length.
        Align::Centre if !rest.is_multiple_of(2) && len.is_multiple_of(2) => rest / 2 + 1,
        Align::Centre => rest / 2,
    };
    format!("{}{text}{}", " ".repeat(before), " ".repeat(rest - before))
}

/// Prints one JSON document and a line break.
pub(super) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value).context("cannot write the answer as JSON")?;
    print(&text)
}

/// Prints a line to standard output; a reader that went away (`| head`) is no failure.
///
/// # Errors
/// When it cannot be written for another reason.
pub fn print(text: &str) -> anyhow::Result<()> {
    match writeln!(io::stdout(), "{text}").and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}

/// `45 s`, `4 min 12 s`, `2 h 3 min`, `3 d 4 h`.
pub(super) fn span(time: TimeDelta) -> String {
    let seconds = time.num_seconds().max(0);
    let two = |big: i64, big_unit: &str, small: i64, small_unit: &str| match small {
        0 => format!("{big} {big_unit}"),
        _ => format!("{big} {big_unit} {small} {small_unit}"),
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => two(seconds / 60, "min", seconds % 60, "s"),
        3600..172_800 => two(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

/// `3 min ago`.
pub(super) fn ago(time: DateTime<Utc>, now: DateTime<Utc>) -> String {
    format!("{} ago", span(now - time))
}

/// `in 4 min 12 s`, or `now`.
pub(super) fn until(time: DateTime<Utc>, now: DateTime<Utc>) -> String {
    if time <= now { "now".to_owned() } else { format!("in {}", span(time - now)) }
}

/// `210 MB/s`; bytes a second.
pub(super) fn rate(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B/s"),
        1_000..1_000_000 => format!("{} kB/s", bytes / 1_000),
        _ => format!("{} MB/s", bytes / 1_000_000),
    }
}

/// Part of a whole in per cent, rounded down; 100 only when it is all there.
pub(super) fn per_cent(done: u64, total: u64) -> u64 {
    if total == 0 { 100 } else { u64::try_from(u128::from(done) * 100 / u128::from(total)).unwrap_or(100).min(100) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_look_like_prettytables() {
        let columns = [("ID", Align::Centre), ("Last", Align::Centre), ("Size", Align::Right)];
        let rows =
            [vec!["abcdefg".into(), "N/A".into(), "1".into()], vec!["xy".into(), "2026-01".into(), "123456".into()]];
        let want = "\
+---------+---------+--------+
|    ID   |   Last  |   Size |
+---------+---------+--------+
| abcdefg |   N/A   |      1 |
|    xy   | 2026-01 | 123456 |
+---------+---------+--------+";
        assert_eq!(table(&columns, &rows), want);
    }

    #[test]
    fn times_and_rates_read_well() {
        let seconds = TimeDelta::seconds;
        let spans = [5, 60, 252, 7380, 180_000].map(|it| span(seconds(it)));
        assert_eq!(spans, ["5 s", "1 min", "4 min 12 s", "2 h 3 min", "2 d 2 h"]);
        assert_eq!([999, 210_400_000].map(rate), ["999 B/s", "210 MB/s"]);
        assert_eq!([per_cent(0, 0), per_cent(99, 100), per_cent(u64::MAX, u64::MAX)], [100, 99, 100]);
    }
}
