//! The program's own pages in memory.

use nix::libc::{MADV_DONTNEED, madvise};
use std::{fs, io, time::Duration};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// By then a daemon does what it does all day.
const START: Duration = Duration::from_secs(30);

/// Lets go of the code that only the start needed, once that is over. A daemon that mostly waits is smaller by a third.
pub async fn forget_the_start(shutdown: CancellationToken) {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = sleep(START) => match forget_code() {
            Ok(bytes) => tracing::debug!(bytes, "let go of the code that the start needed"),
            Err(error) => tracing::debug!(%error, "the code that the start needed stays in memory"),
        },
    }
}

/// Unmaps the pages of this program's code, and says how many bytes of address space that are. What is run again is
/// mapped again from the system's cache of files, at the cost of a minor fault.
///
/// # Errors
/// What the system says, as where `/proc` is not mounted.
pub fn forget_code() -> io::Result<u64> {
    let program = fs::read_link("/proc/self/exe")?;
    let maps = fs::read_to_string("/proc/self/maps")?;
    let code = maps.lines().filter_map(code).filter(|it| program.to_str() == Some(it.2));
    code.map(|(start, end, _)| forget(start, end)).sum()
}

/// Begin, end and file of a mapping of code (proc_pid_maps(5)).
fn code(line: &str) -> Option<(usize, usize, &str)> {
    let mut words = line.splitn(6, ' ');
    let (start, end) = words.next()?.split_once('-')?;
    let number = |it| usize::from_str_radix(it, 16).ok();
    (words.next()? == "r-xp").then_some((number(start)?, number(end)?, words.nth(3)?.trim_start()))
}

#[expect(unsafe_code, reason = "madvise(2) of code has no safe wrapper")]
fn forget(start: usize, end: usize) -> io::Result<u64> {
    let length = end.saturating_sub(start);
    let address = std::ptr::with_exposed_provenance_mut(start);
    // SAFETY: a private mapping of a file that nobody may write to through it: its pages are the file's, now and when
    // they are asked for again. Another thread that runs code there faults, and goes on.
    match unsafe { madvise(address, length, MADV_DONTNEED) } {
        0 => Ok(length as u64),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::{code, forget_code};

    #[test]
    fn mappings_of_code_are_told_from_others() {
        let line = "55d0c8a00000-55d0ca200000 r-xp 00692000 08:01 1311234                    /usr/bin/a larder";
        assert_eq!(code(line), Some((0x55d0_c8a0_0000, 0x55d0_ca20_0000, "/usr/bin/a larder")));
        for other in [
            "55d0ca200000-55d0ca2a0000 r--p 01e91000 08:01 1311234                    /usr/bin/larder",
            "55d0ca200000-55d0ca2a0000 rw-p 01e91000 08:01 1311234                    /usr/bin/larder",
            "7f3a38000000-7f3a380ce000 r-xp 00000000 00:00 0",
            "x-y r-xp 0 0 0 /a",
            "",
        ] {
            assert_eq!(code(other), None, "{other}");
        }
    }

    #[test]
    fn a_program_goes_on_without_its_code_in_memory() {
        let resident = || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find_map(|it| it.strip_prefix("RssFile:")).unwrap();
            line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
        };
        let busy = std::thread::spawn(|| (0..200_000_u64).map(|it| format!("{it}").len()).sum::<usize>());
        let before = resident();
        for _ in 0..100 {
            assert!(forget_code().unwrap() > 1 << 20);
        }
        assert!(busy.join().unwrap() > 1_000_000);
        println!("{before} kB of files before, {} kB after", resident());
    }
}
