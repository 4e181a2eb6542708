//! What `larder agent check` prints.

use super::output::{print, print_json};
use crate::admin::{Finding, Level};
use std::fmt::Write as _;

/// Prints the findings; false when one is an error.
///
/// # Errors
/// When standard output cannot be written.
pub fn print_findings(found: &[Finding], json: bool) -> anyhow::Result<bool> {
    if json {
        print_json(&found)?
    } else {
        print(text(found).trim_end())?
    }
    Ok(found.iter().all(|it| it.level < Level::Error))
}

/// A line each, the remedy on a line of its own, and a count at the end.
fn text(found: &[Finding]) -> String {
    let width = found.iter().map(|it| it.topic.len()).max().unwrap_or_default();
    let mut text = String::new();
    for it in found {
        let _ = writeln!(text, "{:<7}  {:<width$}  {}", it.level, it.topic, it.found);
        if let Some(remedy) = &it.remedy {
            let _ = writeln!(text, "{:<7}  {:<width$}  → {remedy}", "", "");
        }
    }
    let count = |level| found.iter().filter(|it| it.level == level).count();
    let (fine, warnings, errors) = (count(Level::Ok), count(Level::Warning), count(Level::Error));
    let _ = write!(text, "\n{fine} ok, {warnings} warnings, {errors} errors");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_is_a_line_and_its_remedy_another() {
        let found = [Finding::ok("locks", "fine"), Finding::error("free space", "none", "make room")];
        let want = "ok       locks       fine\nerror    free space  none\n                     → make room\n\n1 ok, 0 warnings, 1 errors";
        assert_eq!(text(&found), want);
    }
}
