//! How much the machine waits for its disks, as the kernel's pressure stall information tells it.

use std::{io, path::Path};

/// Where the kernel tells it (psi(7)); missing on kernels without it.
pub const IO: &str = "/proc/pressure/io";

/// The share of the last ten seconds, in per cent, in which some task waited for a disk.
///
/// # Errors
/// What the system says, such as that this kernel has no such file.
pub fn some_avg10(file: &Path) -> io::Result<f64> {
    let text = std::fs::read_to_string(file)?;
    parse(&text).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no line of pressure in it"))
}

fn parse(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|it| it.strip_prefix("some "))?;
    let value: f64 = line.split_whitespace().find_map(|it| it.strip_prefix("avg10="))?.parse().ok()?;
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lines_are_read() {
        let text = "some avg10=12.34 avg60=0.00 avg300=0.00 total=123\nfull avg10=99.00 avg60=0 avg300=0 total=1\n";
        assert_eq!(parse(text), Some(12.34));
        for text in ["", "some", "some avg60=1", "some avg10=x", "full avg10=1.0"] {
            assert_eq!(parse(text), None, "{text}");
        }
        match some_avg10(Path::new(IO)) {
            Ok(value) => assert!((0.0..=100.0).contains(&value)),
            Err(error) => println!("skipped: this kernel tells no pressure: {error}"),
        }
    }
}
