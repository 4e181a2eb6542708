//! Downloads: resumed, cut, stalled, changed, and from stores that start only at the beginning.

use super::{at, fetch, noise, open, put, quick, register, told, whole};
use crate::support::{
    chaos::{Chaos, Fault},
    rig,
};
use larder::remote::{RemoteError, Settings};
use serde_json::json;
use std::{
    io::{Read, Write},
    net::TcpListener,
    time::{Duration, Instant},
};

const SIZE: usize = 6_000_000;

#[tokio::test]
async fn a_cut_download_is_resumed_where_it_was() {
    let Some(glance) = rig::open_glance() else { return };
    let data = noise(SIZE);
    let id = put(&open(glance), "cut", &data).await;
    let proxy = Chaos::before(&glance.url);
    let catalogue = at(&proxy.url(), quick());
    // (The first answer has no length, so a second connection asks for the image's size.)
    let first = [Fault::CutAfter(1_000_000), Fault::None].into_iter();
    proxy.next(first.chain([500, 2_500_000, 1].map(Fault::CutAfter)).collect());
    let (mut have, mut cuts) = (Vec::new(), 0);
    while have.len() < SIZE {
        match fetch(&catalogue, &id, have.len() as u64).await {
            Ok((start, part, end)) => {
                assert_eq!(start, have.len() as u64);
                have.extend_from_slice(&part);
                if let Some(error) = end {
                    assert!(error.is_transient(), "{error:?}");
                    assert!(told(&error).starts_with(&format!("downloading image {id}: ")));
                    cuts += 1;
                }
            }
            // Cut within the head of the answer.
            Err(error) => {
                assert!(error.is_transient(), "{error:?}");
                cuts += 1;
            }
        }
    }
    assert!(have == data);
    assert_eq!((cuts, proxy.connections()), (4, 6));
    // Nothing is left to fetch: Glance answers 416.
    let (start, rest, end) = fetch(&catalogue, &id, SIZE as u64).await.unwrap();
    assert!(end.is_none() && (start == SIZE as u64 && rest.is_empty() || start == 0 && rest == data));
    // Beyond the end there is nothing either, so it starts over.
    assert_eq!(fetch(&catalogue, &id, SIZE as u64 + 1).await.unwrap().0, 0);
}

#[tokio::test]
async fn a_server_without_ranges_starts_over() {
    let Some(glance) = rig::open_glance() else { return };
    let data = noise(SIZE);
    let id = put(&open(glance), "no ranges", &data).await;
    let proxy = Chaos::before(&glance.url);
    let catalogue = at(&proxy.url(), quick());
    proxy.always(Fault::Strip("range"));
    let (start, all, end) = fetch(&catalogue, &id, 1_000_000).await.unwrap();
    assert!(start == 0 && end.is_none() && all == data);
}

/// Glance's http store has no random reads: it answers 400 to a range.
#[tokio::test]
async fn a_store_without_random_reads_starts_over() {
    let Some(glance) = rig::open_glance() else { return };
    let catalogue = open(glance);
    let data = noise(400_000);
    let web = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}/disk.raw", web.local_addr().unwrap());
    let served = data.clone();
    std::thread::spawn(move || {
        for mut stream in web.incoming().flatten() {
            let mut head = [0; 4096];
            let n = stream.read(&mut head).unwrap_or(0);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", served.len());
            let _ = stream.write_all(head.as_bytes());
            // HEAD has no body; nothing else is asked.
            if n > 4 {
                let _ = stream.write_all(&served);
            }
        }
    });
    let id = register(&catalogue, "elsewhere").await;
    let location = json!([{"op": "add", "path": "/locations/-", "value": {"url": url, "metadata": {}}}]);
    let image = catalogue.patch(&id, &location).await.unwrap();
    assert_eq!(image.status, "active");
    let (start, all, end) = fetch(&catalogue, &id, 1000).await.unwrap();
    assert!(start == 0 && end.is_none() && all == data, "{start} {} {end:?}", all.len());
}

#[tokio::test]
async fn silence_is_not_waited_for() {
    let Some(glance) = rig::open_glance() else { return };
    let id = put(&open(glance), "silence", &noise(SIZE)).await;
    let proxy = Chaos::before(&glance.url);
    let catalogue = at(&proxy.url(), Settings { read_timeout: Duration::from_millis(600), ..quick() });
    for after in [0, 200, 3_000_000] {
        proxy.always(Fault::StallAfter(after));
        let begun = Instant::now();
        let error = match fetch(&catalogue, &id, 0).await {
            Ok((_, part, end)) => {
                assert!(part.len() < SIZE);
                end.unwrap()
            }
            Err(error) => error,
        };
        assert!(error.is_transient() && matches!(error, RemoteError::Transport { .. }), "{error:?}");
        assert!(begun.elapsed() < Duration::from_secs(300), "after {after}: {:?}", begun.elapsed());
        assert!(told(&error).contains(id.as_str()));
    }
}

#[tokio::test]
async fn a_changed_byte_passes_and_is_for_the_hash_to_find() {
    let Some(glance) = rig::open_glance() else { return };
    let data = noise(SIZE);
    let id = put(&open(glance), "changed", &data).await;
    let proxy = Chaos::before(&glance.url);
    proxy.always(Fault::Corrupt(4_000_000));
    let got = whole(&at(&proxy.url(), quick()), &id).await;
    assert_eq!(got.iter().zip(&data).filter(|(a, b)| a != b).count(), 1);
}

#[tokio::test]
async fn an_image_without_data_or_of_another_id_is_an_error() {
    let Some(glance) = rig::open_glance() else { return };
    let catalogue = open(glance);
    let id = register(&catalogue, "empty").await;
    let error = catalogue.download(&id, 0).await.unwrap_err();
    assert!(!error.is_transient() && told(&error).contains("the image has no data"), "{error}");
    catalogue.delete(&id).await.unwrap();
    assert!(catalogue.download(&id, 0).await.unwrap_err().is_not_found());
    assert!(catalogue.download(&id, 5).await.unwrap_err().is_not_found());
}
