use super::{Agent, Engine, beat, engines, held, image, name, page, registration};
use crate::catalogue::{
    service::{Bounds, Fault, tests::project},
    tables::fleet::nodes,
};
use crate::db::DbError;
use crate::identity::Caller;
use crate::wire::fleet::{Heartbeat, HeldState, ImageChange, NodeState, Registration, Selector, Session, Summary};

#[tokio::test]
async fn a_name_is_its_agents_while_that_lives() {
    for engine in engines().await {
        let first = engine.register("n1", "site=x", None).await.unwrap();
        assert_eq!((first.heartbeat_interval, first.rules_version), (30, 0));
        for session in [None, Some(Session("guess".to_owned()))] {
            let refused = engine.register("N1", "", session.as_ref()).await;
            assert!(matches!(&refused, Err(Fault::Conflict(words)) if words.contains("90 seconds")), "{refused:?}");
        }
        let second = engine.register("n1", "site=y", Some(&first.session)).await.unwrap();
        assert_ne!(second.session, first.session);
        let old = Agent { service: engine.service.clone(), name: name("n1"), next: beat(first.session.clone()) };
        assert!(matches!(old.try_beat().await, Err(Fault::Conflict(_))), "its session is over");
        engine.silent(&name("n1"), 91);
        let node = engine.service.node(&Caller::admin(), &name("n1")).await.unwrap();
        assert_eq!((node.state, node.labels.get("site")), (NodeState::Down, Some("y")));
        let third = engine.register("n1", "", None).await.unwrap();
        assert!(engine.register("n1", "", Some(&second.session)).await.is_err() && third.session != second.session);
        let stranger = Agent { service: engine.service.clone(), name: name("n2"), next: beat(third.session) };
        assert!(matches!(stranger.try_beat().await, Err(Fault::NotFound(_))));
    }
}

#[tokio::test]
async fn a_registration_whose_answer_was_lost_is_made_again_at_once() {
    for engine in engines().await {
        let (admin, n1) = (Caller::admin(), name("n1"));
        let register = async |session: Option<&Session>, instance: &str| {
            let instance = Some(Session(instance.to_owned()));
            let it = Registration { session: session.cloned(), instance, ..registration("n1") };
            engine.service.register(&admin, &n1, it).await
        };
        register(None, "a").await.unwrap();
        assert!(matches!(register(None, "b").await, Err(Fault::Conflict(_))), "another agent");
        let first = register(None, "a").await.unwrap().session;
        // The same after a restart, whose registration names the session before.
        register(Some(&first), "a").await.unwrap();
        let second = register(Some(&first), "a").await.unwrap().session;
        assert!(matches!(register(Some(&first), "b").await, Err(Fault::Conflict(_))));
        // Once it beats, it has heard; a copy of the machine, or a request that was long on its way, is another agent.
        let mut agent = Agent { service: engine.service.clone(), name: name("n1"), next: beat(second.clone()) };
        agent.next.full = true;
        agent.beat().await;
        assert!(matches!(register(None, "a").await, Err(Fault::Conflict(_))));
        assert!(matches!(register(Some(&first), "a").await, Err(Fault::Conflict(_))));
        agent.beat().await;
        register(Some(&second), "a").await.unwrap();
    }
}

#[tokio::test]
async fn a_name_stays_with_the_user_who_registered_it() {
    for engine in engines().await {
        let service = |user: &str| Caller { user: Some(user.to_owned()), ..agent() };
        let (nova, other) = (service("nova"), service("other"));
        let n1 = name("n1");
        let register = async |caller: &Caller| engine.service.register(caller, &n1, registration("n1")).await;
        // From before there were owners, or without a login.
        engine.register("n1", "", None).await.unwrap();
        engine.silent(&name("n1"), 91);
        register(&nova).await.unwrap();
        engine.silent(&name("n1"), 86_400);
        let refused = register(&other).await;
        assert!(matches!(&refused, Err(Fault::Forbidden(words)) if words.contains("node forget n1")), "{refused:?}");
        assert!(matches!(register(&agent()).await, Err(Fault::Forbidden(_))), "nobody knows who");
        register(&nova).await.unwrap();
        engine.silent(&name("n1"), 91);
        engine.register("n1", "", None).await.unwrap();
        engine.silent(&name("n1"), 91);
        assert!(register(&other).await.is_err(), "an admin without a user takes nothing away");
        let admin = Caller { user: Some("root".to_owned()), ..Caller::admin() };
        register(&admin).await.unwrap();
        engine.silent(&name("n1"), 91);
        assert!(register(&nova).await.is_err(), "now it is the admin's");
        engine.service.forget_node(&Caller::admin(), &name("n1")).await.unwrap();
        register(&other).await.unwrap();
    }
}

#[tokio::test]
async fn figures_that_the_agent_does_not_know_stay_as_they_were() {
    for engine in engines().await {
        let mut agent = engine.agent("n1", "").await;
        agent.next.summary = Some(Summary { free: 5, total: 9, ..Summary::default() });
        agent.beat().await;
        agent.next.summary = None;
        agent.beat().await;
        agent.next.changes = vec![held(1, Some(HeldState::Queued))];
        agent.beat().await;
        let node = engine.service.node(&Caller::admin(), &agent.name).await.unwrap();
        assert_eq!((node.summary.free, node.summary.total), (5, 9));
    }
}

/// A caller that may be an agent, and nothing else.
fn agent() -> Caller {
    Caller { roles: vec!["service".to_owned()], ..Caller::default() }
}

#[tokio::test]
async fn beats_are_done_once_and_in_order() {
    for engine in engines().await {
        let session = engine.register("n1", "", None).await.unwrap().session;
        let mut agent = Agent { service: engine.service.clone(), name: name("n1"), next: beat(session) };
        let early = agent.try_beat().await.unwrap();
        assert!(early.resync && early.sequence == 0, "a session begins with the whole inventory");
        agent.next.full = true;
        agent.next.changes = (0..250).map(|it| held(it, Some(HeldState::Cached))).collect();
        agent.beat().await;
        let count = async |engine: &Engine| {
            engine.service.node_images(&Caller::admin(), &name("n1"), page(1000)).await.unwrap().images.len()
        };
        assert_eq!(count(&engine).await, 250);

        agent.next.changes = vec![
            held(0, None),
            held(1, None),
            held(900, None),
            held(2, Some(HeldState::Failed)),
            held(300, Some(HeldState::Queued)),
        ];
        let same = agent.next.clone();
        agent.beat().await;
        assert_eq!(count(&engine).await, 249);
        agent.next = Heartbeat { changes: vec![held(0, Some(HeldState::Cached))], ..same };
        agent.beat().await;
        assert_eq!(count(&engine).await, 249, "it was done already: a repetition changes nothing");

        agent.next.sequence = 5;
        let gap = agent.try_beat().await.unwrap();
        assert!(gap.resync && gap.sequence == 2);
        agent.next = Heartbeat {
            sequence: 3,
            full: true,
            changes: vec![held(5, Some(HeldState::Cached))],
            ..beat(agent.next.session)
        };
        agent.beat().await;
        assert_eq!(count(&engine).await, 1, "a whole inventory replaces what was known");
    }
}

#[tokio::test]
async fn a_quiet_beat_is_one_statement() {
    for engine in engines().await {
        let mut agent = engine.agent("n1", "").await;
        agent.next.summary = Some(Summary { free: 5, held: 3, ..Summary::default() });
        let hash = super::super::nodes::hash(&agent.next.session);
        let (name, beat) = (agent.name.clone(), agent.next.clone());
        let counted = engine
            .service
            .db()
            .write::<_, DbError, _>(move |tx| Ok((nodes::quick_beat(tx, &name, &beat, &hash)?, tx.statements())));
        assert_eq!(counted.await.unwrap(), (true, 1));
        agent.next.sequence += 1;
        agent.beat().await;
        let node = engine.service.node(&Caller::admin(), &agent.name).await.unwrap();
        assert_eq!((node.summary.free, node.summary.held, node.state), (5, 3, NodeState::Up));
    }
}

#[tokio::test]
async fn nodes_and_what_they_hold_are_found() {
    for engine in engines().await {
        for (node, labels) in
            [("n1", "site=x,rack=r1"), ("n2", "site=x,rack=r2"), ("n3", "site=y,rack=r1"), ("n4", "Site=X")]
        {
            let mut agent = engine.agent(node, labels).await;
            agent.next.changes = vec![
                ImageChange { pinned: true, digest: Some("blake3:00".to_owned()), ..held(1, Some(HeldState::Cached)) },
                ImageChange { done: Some(3), ..held(2, Some(HeldState::Fetching)) },
            ];
            agent.beat().await;
        }
        let names = async |labels: &str| {
            let selector: Selector = labels.parse().unwrap();
            let page = engine.service.nodes(&Caller::admin(), selector, page(10)).await.unwrap();
            page.nodes.iter().map(|it| it.name.to_string()).collect::<Vec<_>>().join(" ")
        };
        for (labels, expected) in [
            ("", "n1 n2 n3 n4"),
            ("site=x", "n1 n2"),
            ("site=x,rack=r1", "n1"),
            ("rack=r1", "n1 n3"),
            ("site=X", ""),
            ("Site=X", "n4"),
        ] {
            assert_eq!(names(labels).await, expected, "{labels}");
        }
        let (mut marker, mut seen) = (None, Vec::new());
        loop {
            let bounds = Bounds { marker, limit: 2 };
            let page = engine.service.image_nodes(&Caller::admin(), &image(1), bounds).await.unwrap();
            seen.extend(page.nodes);
            marker = page.next;
            if marker.is_none() {
                break;
            }
        }
        assert_eq!(seen.iter().map(|it| it.node.as_str()).collect::<Vec<_>>(), ["n1", "n2", "n3", "n4"]);
        let first = &seen[0];
        assert_eq!((first.held.size, first.held.pinned, first.held.state), (7, true, HeldState::Cached));
        assert_eq!(first.held.digest.as_deref(), Some("blake3:00"));
        assert_eq!(first.address.as_deref(), Some("http://n1:9393"));
        let nobody = engine.service.image_nodes(&Caller::admin(), &image(9), page(9)).await.unwrap();
        assert!(nobody.nodes.is_empty() && nobody.next.is_none());
        let images = engine.service.node_images(&Caller::admin(), &name("n1"), page(1)).await.unwrap();
        assert_eq!((images.images.len(), images.next), (1, Some(image(1).to_string())));
        assert!(matches!(
            engine.service.node_images(&Caller::admin(), &name("n9"), page(1)).await,
            Err(Fault::NotFound(_))
        ));

        engine.service.forget_node(&Caller::admin(), &name("n1")).await.unwrap();
        assert_eq!(names("rack=r1").await, "n3");
        assert!(matches!(engine.service.forget_node(&Caller::admin(), &name("n1")).await, Err(Fault::NotFound(_))));
    }
}

#[tokio::test]
async fn nobody_else_may() {
    for engine in engines().await.into_iter().take(1) {
        let agent = engine.agent("n1", "").await;
        let member = project("p");
        let service = Caller { roles: vec!["service".to_owned()], ..Caller::default() };
        let denied = |fault: Fault| matches!(fault, Fault::Forbidden(_));
        assert!(denied(engine.service.heartbeat(&member, &agent.name, agent.next.clone()).await.unwrap_err()));
        assert!(denied(engine.service.nodes(&member, Selector::default(), page(1)).await.unwrap_err()));
        assert!(denied(engine.service.changes(&member, None, None, 1).await.unwrap_err()));
        assert!(denied(engine.service.image_nodes(&member, &image(1), page(1)).await.unwrap_err()));
        assert!(denied(engine.service.nodes(&service, Selector::default(), page(1)).await.unwrap_err()));
        assert!(denied(engine.service.forget_node(&service, &agent.name).await.unwrap_err()));
        engine.service.heartbeat(&service, &agent.name, agent.next.clone()).await.unwrap();
        engine.service.rules(&service, Some(agent.name.clone())).await.unwrap();
        engine.service.changes(&service, None, None, 1).await.unwrap();
        engine.service.image_nodes(&service, &image(1), page(1)).await.unwrap();
    }
}
