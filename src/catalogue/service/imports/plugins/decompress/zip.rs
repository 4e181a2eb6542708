//! A zip archive with one file in it, read from front to end (APPNOTE.TXT of PKWARE, 4.3).
//!
//! What stands before the file says how it is compressed; its length and its checksum may stand behind it. The directory
//! at the end tells whether it was the only one.

use super::{
    input::Input,
    output::{Ended, Output},
};
use flate2::{Crc, bufread::DeflateDecoder};
use std::io::{self, BufRead, Read};

const FILE: u32 = 0x0403_4b50;
const DESCRIPTOR: u32 = 0x0807_4b50;
const DIRECTORY: u32 = 0x0201_4b50;
/// Ends of the directory: of zip64, the usual one, and a signature.
const ENDS: [u32; 3] = [0x0606_4b50, 0x0605_4b50, 0x0505_4b50];

const ENCRYPTED: u16 = 1;
const LENGTH_FOLLOWS: u16 = 1 << 3;
const ZIP64: u16 = 1;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// What stands behind the directory's end mark: counts and places, and a comment.
const LEAST_AFTER: u64 = 18;
const MOST_AFTER: u64 = 1 << 20;

/// What is said of the file before it comes.
struct Header {
    method: u16,
    length_follows: bool,
    crc: u32,
    packed: u64,
    size: u64,
}

/// Passes the file on.
pub(super) fn read(mut input: Input, output: &mut Output) -> Result<(), Ended> {
    let header = Header::read(&mut input).map_err(Ended::Broken)?;
    let mut crc = Crc::new();
    let mut size = 0_u64;
    let look = |piece: &[u8]| {
        crc.update(piece);
        size += piece.len() as u64;
    };
    let mut packed = header.packed;
    if header.method == DEFLATED {
        let mut decoder = DeflateDecoder::new(input);
        output.pump(&mut decoder, look)?;
        packed = decoder.total_in();
        input = decoder.into_inner();
    } else {
        output.pump(&mut input.by_ref().take(header.packed), look)?;
    }
    finish(&mut input, header, (crc.sum(), packed, size)).map_err(Ended::Broken)
}

/// Compares what came with what is said of it, and sees that nothing else is there.
fn finish(input: &mut Input, mut header: Header, (crc, packed, size): (u32, u64, u64)) -> io::Result<()> {
    let next = if header.length_follows { header.read_descriptor(input)? } else { u32_of(input)? };
    if (header.crc, header.packed, header.size) != (crc, packed, size) {
        return Err(damaged("the file in the archive is damaged"));
    }
    match next {
        DIRECTORY => {}
        FILE => return Err(damaged("the archive holds more than one file")),
        _ => return Err(damaged("the archive is damaged behind its file")),
    }
    // The rest of the entry, of which 4 bytes are read, and its texts.
    let entry: [u8; 42] = bytes(input)?;
    let texts: u64 = [24, 26, 28].into_iter().map(|at| u64::from(u16_at(&entry, at))).sum();
    skip(input, texts)?;
    match u32_of(input)? {
        end if ENDS.contains(&end) => {}
        DIRECTORY => return Err(damaged("the archive holds more than one file")),
        _ => return Err(damaged("the archive's directory is damaged")),
    }
    let after = io::copy(&mut input.take(MOST_AFTER + 1), &mut io::sink())?;
    match after {
        ..LEAST_AFTER => Err(damaged("the archive is cut")),
        LEAST_AFTER..=MOST_AFTER => Ok(()),
        _ => Err(damaged("too much follows the archive's directory")),
    }
}

// === impl Header ===

impl Header {
    fn read(input: &mut Input) -> io::Result<Self> {
        let fixed: [u8; 30] = bytes(input)?;
        let (flags, method) = (u16_at(&fixed, 6), u16_at(&fixed, 8));
        let (name, extra) = (u16_at(&fixed, 26), u16_at(&fixed, 28));
        skip(input, u64::from(name))?;
        let mut extras = vec![0; usize::from(extra)];
        input.read_exact(&mut extras)?;
        let wide = wide_sizes(&extras);
        let mut header = Self {
            method,
            length_follows: flags & LENGTH_FOLLOWS != 0,
            crc: u32_at(&fixed, 14),
            packed: u64::from(u32_at(&fixed, 18)),
            size: u64::from(u32_at(&fixed, 22)),
        };
        if let Some((size, packed)) = wide.filter(|_| header.size == u64::from(u32::MAX)) {
            (header.size, header.packed) = (size, packed);
        }
        match method {
            _ if flags & ENCRYPTED != 0 => Err(damaged("the file in the archive is encrypted")),
            STORED if header.length_follows => Err(damaged("the archive does not say how long its file is")),
            STORED | DEFLATED => Ok(header),
            other => Err(damaged(&format!("compression method {other} is not supported; use deflate"))),
        }
    }

    /// What stands behind the file, in 32 or 64 bits; what comes after it.
    fn read_descriptor(&mut self, input: &mut Input) -> io::Result<u32> {
        self.crc = match u32_of(input)? {
            DESCRIPTOR => u32_of(input)?,
            // The mark may be left out.
            crc => crc,
        };
        let short: [u8; 12] = bytes(input)?;
        let next = u32_at(&short, 8);
        if [DIRECTORY, FILE].contains(&next) {
            (self.packed, self.size) = (u64::from(u32_at(&short, 0)), u64::from(u32_at(&short, 4)));
            return Ok(next);
        }
        let rest: [u8; 8] = bytes(input)?;
        self.packed = u64_of(u32_at(&short, 0), u32_at(&short, 4));
        self.size = u64_of(next, u32_at(&rest, 0));
        Ok(u32_at(&rest, 4))
    }
}

/// Size and packed size of the zip64 field.
fn wide_sizes(mut extras: &[u8]) -> Option<(u64, u64)> {
    while extras.len() >= 4 {
        let (kind, length) = (u16_at(extras, 0), usize::from(u16_at(extras, 2)));
        let field = extras.get(4..4 + length)?;
        if kind == ZIP64 && length >= 16 {
            let at = |at: usize| u64_of(u32_at(field, at), u32_at(field, at + 4));
            return Some((at(0), at(8)));
        }
        extras = &extras[4 + length..];
    }
    None
}

fn damaged(words: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, words.to_owned())
}

fn bytes<const N: usize>(input: &mut Input) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => damaged("the archive is cut"),
        _ => error,
    })?;
    Ok(bytes)
}

fn u32_of(input: &mut Input) -> io::Result<u32> {
    bytes(input).map(u32::from_le_bytes)
}

fn skip(input: &mut Input, mut length: u64) -> io::Result<()> {
    while length > 0 {
        let available = input.fill_buf()?.len();
        if available == 0 {
            return Err(damaged("the archive is cut"));
        }
        let step = length.min(available as u64);
        input.consume(step as usize);
        length -= step;
    }
    Ok(())
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).map_or(0, |it| u16::from_le_bytes([it[0], it[1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_of(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}
