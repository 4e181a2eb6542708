use super::*;
use proptest::prelude::*;

fn ask(name: &'static str, value: &str, size: u64) -> Result<Option<Range<u64>>, RangeError> {
    let mut headers = HeaderMap::new();
    headers.insert(name, value.parse().unwrap());
    parse(&headers, size)
}

#[test]
fn single_ranges() {
    assert_eq!(parse(&HeaderMap::new(), 10), Ok(None));
    for (text, range) in
        [("bytes=0-3", 0..4), ("bytes=3-", 3..10), ("bytes=-4", 6..10), ("bytes=2-99", 2..10), ("bytes=-99", 0..10)]
    {
        assert_eq!(ask("range", text, 10), Ok(Some(range)), "{text}");
    }
}

#[test]
fn refused_ranges() {
    assert_eq!(ask("range", "bytes=10-", 10), Err(RangeError::BehindEnd { size: 10 }));
    assert_eq!(ask("range", "bytes=-0", 10), Err(RangeError::BehindEnd { size: 10 }));
    assert_eq!(ask("range", "bytes=0-1,3-4", 10), Err(RangeError::Multiple));
    for text in ["bytes", "bytes=", "bytes=-", "bytes=a-b", "items=0-1", "bytes=5-2", "bytes=+1-2", "0-1"] {
        assert!(matches!(ask("range", text, 10), Err(RangeError::Malformed)), "{text}");
    }
}

#[test]
fn content_ranges_of_old_clients() {
    assert_eq!(ask("content-range", "bytes 2-5/10", 10), Ok(Some(2..6)));
    assert_eq!(ask("content-range", "bytes 2-5/*", 10), Ok(Some(2..6)));
    assert_eq!(ask("content-range", "bytes 2-5/100000", 10), Ok(Some(2..6)));
    for text in ["bytes 2-5/5", "bytes 5-2/10", "bytes 2-10/100", "bytes 2-10/10", "bytes=2-5", "bytes 2-5"] {
        assert!(ask("content-range", text, 10).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn never_more_than_there_is(text in "(bytes=)?[0-9]{0,21}-[0-9]{0,21}(,|x)?", size in 0_u64..1000) {
        if let Ok(Some(range)) = ask("range", &text, size) {
            prop_assert!(range.start < range.end && range.end <= size);
        }
    }
}
