use super::{Engine, engines, name};
use crate::catalogue::{
    service::{
        Service,
        tests::{raw, upload},
    },
    tables::fleet::feed,
};
use crate::db::DbError;
use crate::identity::Caller;
use crate::image::{Change as ImageChange, NewImage, Visibility};
use crate::wire::fleet::{Action, Change, Event, NewJob, Targets};
use futures_util::StreamExt;
use std::{
    collections::HashSet,
    sync::{Mutex, mpsc},
    time::Duration,
};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(120);

async fn all(service: &Service) -> Vec<Change> {
    let (mut since, mut all) = (0, Vec::new());
    loop {
        let page = service.changes(&Caller::admin(), Some(since), None, 3).await.unwrap();
        if page.changes.is_empty() {
            return all;
        }
        since = page.next;
        all.extend(page.changes);
    }
}

#[tokio::test]
async fn what_happens_to_images_is_told() {
    for engine in engines().await {
        let (service, admin) = (&engine.service, Caller::admin());
        let new = NewImage { visibility: Some(Visibility::Shared), owner: Some(Some("p".to_owned())), ..raw() };
        let id = service.create(&admin, new).await.unwrap().id;
        service.upload(&admin, &id, upload(b"data")).await.unwrap();
        service.change(&admin, &id, Vec::<ImageChange>::new()).await.unwrap();
        service.add_tag(&admin, &id, "word").await.unwrap();
        service.deactivate(&admin, &id).await.unwrap();
        service.reactivate(&admin, &id).await.unwrap();
        let owner = Caller { project: Some("p".to_owned()), is_admin: true, ..Caller::admin() };
        service.add_member(&owner, &id, "q".to_owned()).await.unwrap();
        service.remove_member(&owner, &id, "q").await.unwrap();
        service.delete(&admin, &id).await.unwrap();
        let told = all(service).await;
        assert!(told.iter().all(|it| it.image.as_ref() == Some(&id)), "{told:?}");
        assert!(told.windows(2).all(|it| it[0].sequence < it[1].sequence));
        let events: Vec<Event> = told.iter().map(|it| it.event).collect();
        use Event::{ImageCreated, ImageDeactivated, ImageDeleted, ImageMembers, ImageReactivated, ImageUpdated};
        assert_eq!(
            events,
            [
                ImageCreated,
                ImageUpdated,
                ImageUpdated,
                ImageDeactivated,
                ImageReactivated,
                ImageMembers,
                ImageMembers,
                ImageDeleted
            ]
        );
    }
}

/// Two processes write at the same time, and on each of them somebody listens from the start, somebody from the middle.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_who_listens_misses_anything() {
    const WRITERS: usize = 6;
    const EACH: usize = 15;
    for engine in engines().await {
        let services = [engine.service.clone(), engine.another().await];
        let mut listeners = Vec::new();
        for service in &services {
            listeners.push(service.listen(&Caller::admin(), Some(0), None).await.unwrap());
        }
        let mut writers = Vec::new();
        for number in 0..WRITERS {
            let service = services[number % 2].clone();
            writers.push(tokio::spawn(async move {
                let mut ids = Vec::new();
                for _ in 0..EACH {
                    ids.push(service.create(&Caller::admin(), raw()).await.unwrap().id);
                    service.hint_changes();
                }
                ids
            }));
        }
        let mut expected = HashSet::new();
        for writer in writers {
            expected.extend(writer.await.unwrap());
        }
        for mut listener in listeners {
            let (mut seen, mut last) = (HashSet::new(), 0);
            while seen.len() < expected.len() {
                let change = timeout(PATIENCE, listener.next()).await.expect("a change is missing").unwrap().unwrap();
                assert!(change.sequence > last, "{change:?} after {last}");
                last = change.sequence;
                assert!(seen.insert(change.image.unwrap()), "told twice");
            }
            assert_eq!(seen, expected);
        }
    }
}

/// A row that was numbered in the middle comes to sight last, and holds up nobody until then.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_committed_late_is_not_lost() {
    // SQLite has one writer at a time.
    for engine in engines().await.into_iter().skip(1) {
        let (written, is_written) = mpsc::channel();
        let (go, may_go) = mpsc::channel::<()>();
        let (written, may_go) = (Mutex::new(written), Mutex::new(may_go));
        let before = engine.service.create(&Caller::admin(), raw()).await.unwrap().id;
        let slow = engine.service.clone();
        let late = tokio::spawn(async move {
            slow.db()
                .write::<_, DbError, _>(move |tx| {
                    feed::rules(tx)?;
                    written.lock().unwrap().send(()).unwrap();
                    may_go.lock().unwrap().recv_timeout(PATIENCE).unwrap();
                    Ok(())
                })
                .await
        });
        tokio::task::spawn_blocking(move || is_written.recv_timeout(PATIENCE).unwrap()).await.unwrap();
        let id = engine.service.create(&Caller::admin(), raw()).await.unwrap().id;
        let admin = Caller::admin();
        let first = timeout(PATIENCE / 2, engine.service.changes(&admin, Some(0), None, 10)).await;
        let first = first.expect("it waits for a row that it cannot see").unwrap();
        assert_eq!(first.changes.iter().map(|it| it.image.clone()).collect::<Vec<_>>(), [Some(before), Some(id)]);
        go.send(()).unwrap();
        late.await.unwrap().unwrap();
        let second = engine.service.changes(&Caller::admin(), Some(first.next), None, 10).await.unwrap();
        assert_eq!(second.changes.iter().map(|it| it.event).collect::<Vec<_>>(), [Event::Rules]);
        assert!(second.next > first.next);
    }
}

#[tokio::test]
async fn nodes_are_told_of_their_own_work() {
    for engine in engines().await {
        for (node, labels) in [("n1", "site=x"), ("n2", "site=x"), ("n3", "")] {
            engine.agent(node, labels).await;
        }
        let start = engine.service.changes(&Caller::admin(), None, None, 10).await.unwrap();
        let mut live = engine.service.listen(&Caller::admin(), None, Some(name("n3"))).await.unwrap();
        let make = async |nodes: Targets| {
            let new = NewJob { action: Action::Queue, images: vec![super::image(1)], nodes, priority: 0 };
            engine.service.make_job(&Caller::admin(), new).await.unwrap().id
        };
        let to_x = make(Targets::Selector("site=x".parse().unwrap())).await;
        let to_two = make(Targets::Names(vec![name("n2")])).await;
        let to_all = make(Targets::All(true)).await;
        for (node, jobs) in [("n1", vec![&to_x, &to_all]), ("n2", vec![&to_x, &to_two, &to_all]), ("n3", vec![&to_all])]
        {
            let page = engine.service.changes(&Caller::admin(), Some(start.next), Some(name(node)), 10).await.unwrap();
            assert_eq!(page.changes.iter().filter_map(|it| it.job.as_ref()).collect::<Vec<_>>(), jobs, "{node}");
        }
        let told = timeout(PATIENCE, live.next()).await.unwrap().unwrap().unwrap();
        assert_eq!((told.event, told.job), (Event::Work, Some(to_all)));
    }
}

#[tokio::test]
async fn who_is_behind_what_was_pruned_begins_anew() {
    for engine in engines().await {
        for _ in 0..5 {
            engine.service.create(&Caller::admin(), raw()).await.unwrap();
        }
        let before = all(&engine.service).await;
        let second = before[1].sequence;
        let pruned = engine.service.db().write::<_, DbError, _>(|tx| feed::prune(tx, 3600, 2));
        assert_eq!(pruned.await.unwrap(), 3);
        let end = before[4].sequence;
        for since in [0, second, end + 1] {
            let page = engine.service.changes(&Caller::admin(), Some(since), None, 10).await.unwrap();
            assert_eq!((page.changes.len(), page.changes[0].event, page.next), (1, Event::Reset, end), "{since}");
        }
        let rest = engine.service.changes(&Caller::admin(), Some(before[2].sequence), None, 10).await.unwrap();
        assert_eq!(rest.changes.len(), 2);
        let mut live = engine.service.listen(&Caller::admin(), Some(0), None).await.unwrap();
        assert_eq!(timeout(PATIENCE, live.next()).await.unwrap().unwrap().unwrap().event, Event::Reset);
        let id = engine.service.create(&Caller::admin(), raw()).await.unwrap().id;
        assert_eq!(timeout(PATIENCE, live.next()).await.unwrap().unwrap().unwrap().image, Some(id));
        age(&engine);
        engine.service.tend_fleet().await.unwrap();
        assert_eq!(all(&engine.service).await.iter().map(|it| it.event).collect::<Vec<_>>(), [Event::Reset]);
        engine.service.end_feeds();
        assert!(timeout(PATIENCE, live.next()).await.unwrap().is_none());
    }
}

fn age(engine: &Engine) {
    engine.sql("UPDATE larder_changes SET happened_at = 1000");
}
