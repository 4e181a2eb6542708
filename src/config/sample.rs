//! The sample file: every option, commented, at its default, with its help.

use super::options::Described;
use std::fmt::Write;

/// Columns of the sample's text.
const WIDTH: usize = 110;

/// Writes the sample of a program; `intro` is its first comment.
pub(super) fn sample(intro: &str, described: &[Described]) -> String {
    let mut text = String::new();
    comment(&mut text, intro);
    let mut sections: Vec<&str> = Vec::new();
    for option in described {
        if !sections.contains(&option.section) {
            sections.push(option.section);
        }
    }
    for section in sections {
        let _ = write!(text, "\n[{section}]\n");
        for option in described.iter().filter(|it| it.section == section) {
            text.push('\n');
            comment(&mut text, &format!("{} ({})", option.help, option.takes));
            if option.default.is_empty() {
                let _ = writeln!(text, "#{} = <not set>", option.key);
            }
            for value in &option.default {
                let line = format!("#{} = {value}", option.key);
                let _ = writeln!(text, "{}", line.trim_end());
            }
        }
    }
    text
}

fn comment(text: &mut String, words: &str) {
    for paragraph in words.lines() {
        let mut line = String::from("#");
        for word in paragraph.split(' ') {
            if line.chars().count() + 1 + word.chars().count() > WIDTH {
                let _ = writeln!(text, "{line}");
                line = String::from("#");
            }
            line.push(' ');
            line.push_str(word);
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
}
