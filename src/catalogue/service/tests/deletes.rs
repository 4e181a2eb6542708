//! What a deletion makes of an image in each status, at once and delayed.

use super::{fixture, raw, settings};
use crate::catalogue::{
    Settings,
    service::{Fault, Service},
};
use crate::identity::Caller;
use crate::image::Status;

#[tokio::test]
async fn every_status_goes_where_the_table_lets_it() {
    let fixture = fixture().await;
    let delaying = Settings { delayed_delete: true, ..settings(fixture.dir.path()) };
    let delaying = Service::open(delaying).await.unwrap();
    let admin = Caller::admin();
    for status in Status::ALL {
        for delayed in [false, true] {
            for has_data in [false, true] {
                let id = fixture.service.create(&admin, raw()).await.unwrap().id;
                if has_data {
                    fixture.put(&id, b"data").await.unwrap();
                }
                let gone = status == Status::Deleted;
                fixture.sql(&format!("UPDATE images SET status = '{status}', deleted = {gone} WHERE id = '{id}'"));
                let service = if delayed { &delaying } else { &fixture.service };
                let outcome = service.delete(&admin, &id).await;
                let case = format!("{status}, delayed: {delayed}, data: {has_data}: {outcome:?}");
                let row = fixture.text(&format!("SELECT status FROM images WHERE id = '{id}'"));
                let there = fixture.file(&id).exists();
                match (status, delayed && has_data) {
                    (Status::Deleted, _) => {
                        assert!(matches!(outcome, Err(Fault::NotFound(_) | Fault::NoImage(_))), "{case}")
                    }
                    (Status::Deactivated, true) => {
                        assert!(matches!(outcome, Err(Fault::Invalid(_))) && row == "deactivated" && there, "{case}");
                    }
                    (Status::Active, true) => assert!(outcome.is_ok() && row == "pending_delete" && there, "{case}"),
                    _ => assert!(outcome.is_ok() && row == "deleted" && !there, "{case}"),
                }
                // Nothing but the scrubber removes what waits for it.
                delaying.remove_leftovers(None).await.unwrap();
                assert_eq!(fixture.file(&id).exists(), there, "{case}");
                if outcome.is_ok() {
                    let shown = service.show(&admin, &id).await;
                    assert!(matches!(shown, Err(Fault::NotFound(_) | Fault::NoImage(_))), "{case}");
                    let live = format!("SELECT count(*) FROM image_locations WHERE image_id = '{id}' AND NOT deleted");
                    assert_eq!(fixture.count(&live), 0, "{case}");
                }
            }
        }
    }
}
