//! What a failing test leaves behind. Libtest keeps what a test prints until all have ended, and of a long output often
//! only the lines around a failure are looked at; so a few lines are printed at once, where the test's own result follows.

use std::{io::Write, panic, sync::Once, thread};

/// The longest line that is printed at once, in characters.
const WIDTH: usize = 400;

/// From now on a panic is told at once, too.
pub(crate) fn tell_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let thread = thread::current().name().unwrap_or("a thread of a test").to_owned();
            say(&format!("{thread}: {}", tail(&info.to_string(), 40)));
            usual(info);
        }));
    });
}

/// Prints this at once: the macros would keep it until the end.
pub(crate) fn say(text: &str) {
    let _ = std::io::stderr().lock().write_all(format!("{}\n", text.trim_end()).as_bytes());
}

/// The last lines of a text, none of them very long; above that its first ones, which often say why.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    let short = |line: &&str| line.chars().take(WIDTH).collect::<String>();
    if all.len() <= lines {
        return all.iter().map(short).collect::<Vec<_>>().join("\n");
    }
    let first = lines / 4;
    let left_out = format!("… {} lines …", all.len() - lines);
    let end = &all[all.len() - (lines - first)..];
    all[..first].iter().map(short).chain([left_out]).chain(end.iter().map(short)).collect::<Vec<_>>().join("\n")
}
