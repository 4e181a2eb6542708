//! Tests of names; headers that qemu-img writes are read in the integration tests.

use super::{Backing, BackingError, Unresolvable, references};
use std::{io::Cursor, path::PathBuf};

fn resolve(name: &str) -> Result<PathBuf, Unresolvable> {
    Backing { name: name.into(), format: None }.resolve("/instances/1/disk".as_ref())
}

#[test]
fn paths() {
    for (name, path) in [
        ("/a/b", "/a/b"),
        ("b", "/instances/1/b"),
        ("../_base/b", "/instances/1/../_base/b"),
        ("./a:b", "/instances/1/./a:b"),
        ("/a:b", "/a:b"),
        ("file:/a/b", "/a/b"),
        ("file:b", "/instances/1/b"),
        (r#"json:{"driver":"qcow2","file":{"driver":"file","filename":"/a/b"}}"#, "/a/b"),
        (r#"json:{"file":{"driver":"raw","file":{"driver":"file","filename":"b"}}}"#, "/instances/1/b"),
        (r#"json:{"file.driver":"file","file.filename":"/a/b"}"#, "/a/b"),
        (r#"json:{"driver":"file","filename":"/a/b"}"#, "/a/b"),
    ] {
        assert_eq!(resolve(name), Ok(path.into()), "{name}");
    }
}

#[test]
fn what_is_no_file_is_doubt() {
    for name in [
        "",
        "file:",
        "nbd:localhost:10809",
        "rbd:pool/image",
        "https://host/image",
        "fat:dir",
        "json:",
        "json:{",
        "json:{}",
        "json:[]",
        r#"json:{"file":{"driver":"nbd","host":"h"}}"#,
        r#"json:{"driver":"https","url":"https://h/x"}"#,
        r#"json:{"file.driver":"rbd","file.filename":"/a"}"#,
        r#"json:{"filename":"nbd:h:1"}"#,
    ] {
        assert!(resolve(name).is_err(), "{name}");
    }
    // Deeper than anyone writes.
    let deep = format!("json:{}{}{}", r#"{"file":"#.repeat(100), r#"{"filename":"/a"}"#, "}".repeat(100));
    assert!(resolve(&deep).is_err());
}

fn qcow2(offset: u64, length: u32) -> Vec<u8> {
    let mut head = vec![0; 1024];
    head[..8].copy_from_slice(b"QFI\xfb\0\0\0\x03");
    head[8..16].copy_from_slice(&offset.to_be_bytes());
    head[16..20].copy_from_slice(&length.to_be_bytes());
    head[103] = 104;
    head[600..605].copy_from_slice(b"/base");
    head
}

#[test]
fn damaged_headers_are_errors_not_answers() {
    let read = |bytes: Vec<u8>| references(&mut Cursor::new(bytes));
    assert_eq!(read(qcow2(600, 5)).unwrap().backing.unwrap().name, b"/base");
    for (offset, length) in [(600, 0), (600, 1024), (600, 6), (2000, 5), (u64::MAX, 5), (1022, 5)] {
        assert!(matches!(read(qcow2(offset, length)), Err(BackingError::Damaged { .. })), "{offset} {length}");
    }
    let mut nameless = qcow2(0, 0);
    nameless[79] = 4;
    assert!(matches!(read(nameless), Err(BackingError::Damaged { .. })));
    let mut endless = qcow2(600, 5);
    endless.resize(8192, 1);
    for at in (104..8000).step_by(8) {
        endless[at..at + 8].copy_from_slice(&[1, 1, 1, 1, 0, 0, 0, 0]);
    }
    assert!(matches!(read(endless), Err(BackingError::Damaged { .. })));
    let mut future = qcow2(600, 5);
    future[7] = 4;
    assert!(matches!(read(future), Err(BackingError::Damaged { .. })));
    assert!(matches!(read(b"QFI\xfb\0\0".to_vec()), Err(BackingError::Damaged { .. })));
    assert!(read(vec![0; 5]).unwrap().backing.is_none());
}
