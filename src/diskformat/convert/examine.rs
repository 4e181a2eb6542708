//! Looks at a source before anything reads its data.

use super::{ConvertError, Output, Settings};
use crate::diskformat::{Format, Inspection, Problem, bytes, inspect, references};
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

const EXTENDED_L2: u64 = 1 << 4;
/// The largest level-1 table of a qcow2 that qemu takes, bytes.
const LONGEST_L1: u64 = 32 << 20;
const L1_OFFSET: u64 = 0x00ff_ffff_ffff_fe00;

/// What is to be converted, and who can.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) virtual_size: u64,
    /// Why only qemu-img reads it, if so.
    pub(super) needs_qemu_img: Option<&'static str>,
}

/// Refuses whatever is not a whole, plain image of `format` that stands on its own. Blocks.
pub(super) fn examine(
    path: &Path,
    (format, output): (Format, Output),
    settings: &Settings,
) -> Result<Source, ConvertError> {
    let read = |source| ConvertError::ReadSource { path: path.into(), source };
    let refused = |why: String| ConvertError::Refused { format, why };
    let mut file = File::open(path).map_err(read)?;
    let found = inspect(&mut file).map_err(read)?;
    check_kind(&found, format, output).map_err(refused)?;
    let below = references(&mut file).map_err(ConvertError::References)?;
    if below.backing.is_some() || !below.data.is_empty() {
        return Err(refused("it stands on other files".into()));
    }
    let virtual_size = found.virtual_size.filter(|it| *it > 0);
    let virtual_size = virtual_size.ok_or_else(|| refused("its header tells no size".into()))?;
    if virtual_size > settings.virtual_size_limit {
        return Err(ConvertError::TooLarge { virtual_size, limit: settings.virtual_size_limit });
    }
    let needs_qemu_img = match format {
        Format::Qcow2 => {
            let header = header(&mut file).map_err(read)?;
            check_qcow2(&header, virtual_size).map_err(|why| refused(why.into()))?;
            check_tables(&mut file, &header, found.size).map_err(read)?.map_err(|why| refused(why.into()))?;
            foreign_feature(&header).or((output != Output::Raw).then_some("only it writes the target"))
        }
        _ => Some("its format is not read natively"),
    };
    Ok(Source { virtual_size, needs_qemu_img })
}

fn check_kind(found: &Inspection, format: Format, output: Output) -> Result<(), String> {
    if found.format != format || found.formats.len() > 1 {
        return Err(format!("its content is {}", found.format));
    }
    match format {
        _ if output.is(format) => return Err(format!("it is {output} already")),
        Format::Iso => return Err("an ISO stays what it is".into()),
        Format::Luks => return Err("it is encrypted".into()),
        Format::Qed | Format::Bochs | Format::Cloop => return Err("nobody should use this format".into()),
        Format::Raw | Format::Gpt => {}
        Format::Qcow2 | Format::Vhd | Format::Vhdx | Format::Vmdk | Format::Vdi | Format::Ploop => {}
    }
    // Extended L2 entries are refused by Nova, not by nature.
    // A partition table of a raw disk is judged by whoever takes the disk; nothing here reads it.
    let harmless = |it: &Problem| matches!(it, Problem::UnknownFeatures(EXTENDED_L2) | Problem::Mbr(_));
    let mut problems = found.problems.iter().filter(|it| !harmless(it));
    problems.next().map_or(Ok(()), |it| Err(it.to_string()))
}

fn header(file: &mut File) -> io::Result<Vec<u8>> {
    let mut header = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(512).read_to_end(&mut header)?;
    Ok(header)
}

fn check_qcow2(header: &[u8], virtual_size: u64) -> Result<(), &'static str> {
    if bytes::be32(header, 32) != Some(0) {
        return Err("it is encrypted");
    }
    let bits = bytes::be32(header, 20).filter(|it| (9..=21).contains(it)).ok_or("its cluster size is not possible")?;
    let entry = if features(header) & EXTENDED_L2 != 0 { 16 } else { 8 };
    let each = (1_u64 << bits) * ((1 << bits) / entry);
    let tables = u64::from(bytes::be32(header, 36).unwrap_or(0));
    if tables < virtual_size.div_ceil(each) { Err("its tables do not reach over its size") } else { Ok(()) }
}

/// The incompatible features, which version 2 has not.
fn features(header: &[u8]) -> u64 {
    let is_new = bytes::be32(header, 4) == Some(3);
    bytes::be64(header, 72).filter(|_| is_new).unwrap_or(0)
}

/// What of a qcow2 is not read natively.
fn foreign_feature(header: &[u8]) -> Option<&'static str> {
    let features = features(header);
    let compression = header.get(104).copied().filter(|_| features & (1 << 3) != 0).unwrap_or(0);
    match (features & EXTENDED_L2 != 0, compression) {
        (true, _) => Some("it has extended L2 entries"),
        (false, 0) => None,
        (false, 1) => Some("it is compressed with zstd"),
        (false, _) => Some("its compression is not known"),
    }
}

/// A cut file would read as zeros without a word: every table that the first level names must begin inside of it.
fn check_tables(file: &mut File, header: &[u8], size: u64) -> io::Result<Result<(), &'static str>> {
    let (entries, offset) = (bytes::be32(header, 36).unwrap_or(0), bytes::be64(header, 40).unwrap_or(0));
    let length = u64::from(entries) * 8;
    if length > LONGEST_L1 {
        return Ok(Err("its first table is too long"));
    }
    if offset.checked_add(length).is_none_or(|end| end > size) {
        return Ok(Err("the file is cut: its first table is missing"));
    }
    file.seek(SeekFrom::Start(offset))?;
    let mut table = Vec::new();
    file.take(length).read_to_end(&mut table)?;
    let outside = |entry: &[u8]| bytes::be64(entry, 0).is_none_or(|it| it & L1_OFFSET >= size);
    if table.chunks_exact(8).any(outside) {
        return Ok(Err("the file is cut: a table that it names is missing"));
    }
    Ok(Ok(()))
}
