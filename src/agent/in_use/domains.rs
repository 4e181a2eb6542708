//! Disks that libvirt's domains name, wherever they lie.

use super::{
    chain::is_missing,
    observe::{Holder, Look},
};
use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

/// A definition with a thousand disks is smaller.
const LARGEST: u64 = 8 << 20;
/// A node has a few hundred domains.
const MOST: usize = 20_000;

pub(super) fn look(look: &mut Look<'_>) {
    for folder in look.dir.settings().libvirt_directories.clone() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) => {
                unseen(look, &folder, &error);
                continue;
            }
        };
        let paths = entries.flatten().map(|entry| entry.path());
        for path in paths.filter(|path| path.extension().is_some_and(|it| it == "xml")).take(MOST) {
            match read(&path) {
                Ok(text) => domain(look, &path, &text),
                Err(error) => unseen(look, &path, &error),
            }
        }
    }
}

fn domain(look: &mut Look<'_>, definition: &Path, text: &str) {
    let holder = Holder::Domain(definition.to_owned());
    let changed = look.changed;
    for disk in sources(text) {
        look.follow(&disk, &holder);
    }
    // A definition may name disks that are long gone.
    look.changed = changed;
}

/// Instances' disks are looked at anyway: a definition that we may not read says little more.
fn unseen(look: &mut Look<'_>, path: &Path, error: &io::Error) {
    if !is_missing(error) {
        look.found.note(format!("cannot look at libvirt's {}: {error}", path.display()));
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The value of `file` in every `<source …>`, whichever way it is quoted. Block devices hold no overlays of nova's, and
/// reading a dead one waits for ever.
fn sources(text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for rest in text.split("<source").skip(1) {
        let tag = rest.split('>').next().unwrap_or_default();
        let path = value(tag, "file").map(|text| PathBuf::from(plain(text)));
        found.extend(path.filter(|path| path.is_absolute()));
    }
    found
}

fn value<'a>(tag: &'a str, attribute: &str) -> Option<&'a str> {
    let mut rest = tag;
    while let Some(at) = rest.find(attribute) {
        let begins = rest[..at].ends_with(char::is_whitespace);
        rest = &rest[at + attribute.len()..];
        let after = rest.trim_start().strip_prefix('=').map(str::trim_start);
        if let Some(quoted) = after.filter(|_| begins) {
            let quote = quoted.chars().next().filter(|it| ['\'', '"'].contains(it))?;
            return quoted[1..].split_once(quote).map(|(value, _)| value);
        }
    }
    None
}

/// XML's five entities; `&amp;` last, or `&amp;lt;` would become `<`.
fn plain(text: &str) -> String {
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")]
        .iter()
        .fold(text.to_owned(), |text, (entity, plain)| text.replace(entity, plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_found_however_they_are_written() {
        let text = r#"<disk type='file'><driver name='qemu'/><source file='/a/disk' index='1'/>
            <backingStore type="file"><source   file = "/b/_base/it&apos;s &amp;lt;" /></backingStore></disk>
            <source startupPolicy='optional' file='/c'/><source dev='/dev/vg/x'/><source network='default' profile='file'/>
            <source file='relative'/><source file='cut"#;
        let found = sources(text);
        assert_eq!(found, ["/a/disk", "/b/_base/it's &lt;", "/c"].map(PathBuf::from));
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "(<source|file|dev|=|'|\"|>|/a| |é|&amp;){0,40}") {
            sources(&text);
        }
    }
}
