use super::{Agent, Engine, engines, image, name, page};
use crate::catalogue::service::{Bounds, Fault};
use crate::identity::Caller;
use crate::wire::fleet::{
    Action, Counts, ItemState, Job, JobId, JobState, NewJob, Outcome, Rule, Targets, Work, WorkResult,
};

fn ask(action: Action, images: &[u32], nodes: Targets) -> NewJob {
    NewJob { action, images: images.iter().map(|it| image(*it)).collect(), nodes, priority: 0 }
}

async fn make(engine: &Engine, new: NewJob) -> Job {
    engine.service.make_job(&Caller::admin(), new).await.unwrap()
}

async fn states(engine: &Engine, job: &JobId) -> Vec<(String, ItemState)> {
    let (mut marker, mut all) = (None, Vec::new());
    loop {
        let detail = engine.service.job(&Caller::admin(), job, Bounds { marker, limit: 2 }).await.unwrap();
        all.extend(detail.results.into_iter().map(|it| (it.node.to_string(), it.state)));
        marker = detail.next;
        if marker.is_none() {
            return all;
        }
    }
}

async fn job(engine: &Engine, id: &JobId) -> Job {
    engine.service.job(&Caller::admin(), id, page(1)).await.unwrap().job
}

fn result(work: &Work, state: Outcome, why: Option<&str>) -> WorkResult {
    WorkResult { job: work.job.clone(), image: work.image.clone(), state, why: why.map(str::to_owned) }
}

#[tokio::test]
async fn each_node_says_what_became_of_it() {
    for engine in engines().await {
        let mut agents = Vec::new();
        for (node, labels) in [("n1", "site=x"), ("n2", "site=x"), ("n3", "site=y"), ("n4", "site=x")] {
            agents.push(engine.agent(node, labels).await);
        }
        engine.silent(&name("n4"), 91);
        let made = make(&engine, ask(Action::Queue, &[1, 2], Targets::Selector("site=x".parse().unwrap()))).await;
        assert_eq!(made.counts, Counts { total: 6, waiting: 4, node_down: 2, ..Counts::default() });
        assert_eq!((made.state, &made.nodes), (JobState::Running, &Targets::Selector("site=x".parse().unwrap())));

        let work = agents[0].beat().await.work;
        let asked: Vec<_> = work.iter().map(|it| (it.action, it.image.clone(), it.job.clone())).collect();
        assert_eq!(asked, [1, 2].map(|it| (Action::Queue, image(it), made.id.clone())));
        assert!(agents[2].beat().await.work.is_empty(), "it is not for this one");
        let second = agents[1].try_beat().await.unwrap().work;
        let again = agents[1].beat().await.work;
        assert_eq!(second, again, "an answer that was lost is given again");
        assert!(agents[1].beat().await.work.is_empty(), "it is handed out once");

        agents[0].next.results =
            vec![result(&work[0], Outcome::Done, None), result(&work[1], Outcome::Failed, Some("no room"))];
        agents[0].beat().await;
        agents[1].next.results = again.iter().map(|it| result(it, Outcome::Existing, None)).collect();
        agents[1].beat().await;
        let now = job(&engine, &made.id).await;
        assert_eq!(now.counts, Counts { total: 6, done: 1, failed: 1, existing: 2, node_down: 2, ..Counts::default() });

        // The node comes back, and does it.
        let back = agents[3].beat().await.work;
        assert_eq!(back.len(), 2);
        agents[3].next.results = back.iter().map(|it| result(it, Outcome::Done, None)).collect();
        agents[3].beat().await;
        // A later result replaces an earlier one.
        agents[0].next.results = vec![result(&work[1], Outcome::Done, None)];
        agents[0].beat().await;
        let now = job(&engine, &made.id).await;
        assert_eq!((now.state, now.counts.done, now.counts.failed), (JobState::Done, 4, 0));
        let all = states(&engine, &made.id).await;
        assert_eq!(all.len(), 6);
        assert_eq!(all[2], ("n2".to_owned(), ItemState::Existing));
    }
}

#[tokio::test]
async fn what_a_lost_session_had_is_handed_out_again() {
    for engine in engines().await {
        let mut agent = engine.agent("n1", "").await;
        let one = make(&engine, ask(Action::Pin, &[1, 2], Targets::Names(vec![name("n1")]))).await;
        let urgent = NewJob { priority: 9, ..ask(Action::Queue, &[3], Targets::All(true)) };
        make(&engine, urgent).await;
        let work = agent.beat().await.work;
        assert_eq!(work.iter().map(|it| it.image.clone()).collect::<Vec<_>>(), [3, 1, 2].map(image));
        agent.next.results = vec![result(&work[1], Outcome::Done, None)];
        agent.beat().await;
        let session = engine.register("n1", "", Some(&agent.next.session)).await.unwrap().session;
        let mut agent = Agent { next: super::beat(session), ..agent };
        agent.next.full = true;
        let again = agent.beat().await.work;
        assert_eq!(again.iter().map(|it| it.image.clone()).collect::<Vec<_>>(), [3, 2].map(image));
        engine.service.forget_node(&Caller::admin(), &name("n1")).await.unwrap();
        let now = job(&engine, &one.id).await;
        assert_eq!((now.state, now.counts.done, now.counts.failed), (JobState::Done, 1, 1));
    }
}

#[tokio::test]
async fn what_is_not_handed_out_is_cancelled_or_expires() {
    for engine in engines().await {
        let mut first = engine.agent("n1", "").await;
        let mut second = engine.agent("n2", "").await;
        let made = make(&engine, ask(Action::Remove, &[1], Targets::All(true))).await;
        let work = first.beat().await.work;
        let cancelled = engine.service.cancel_job(&Caller::admin(), &made.id).await.unwrap();
        assert_eq!(cancelled.counts, Counts { total: 2, handed: 1, cancelled: 1, ..Counts::default() });
        assert_eq!(cancelled.state, JobState::Cancelled);
        assert!(second.beat().await.work.is_empty());
        first.next.results = vec![result(&work[0], Outcome::Done, None)];
        first.beat().await;
        assert_eq!(job(&engine, &made.id).await.counts.done, 1, "what was handed out still tells its end");

        let made = make(&engine, ask(Action::Queue, &[2], Targets::All(true))).await;
        let done = make(&engine, ask(Action::Queue, &[3], Targets::Names(vec![name("n1")]))).await;
        assert_eq!(first.beat().await.work.len(), 2);
        engine.sql(&format!("UPDATE larder_jobs SET expires_at = {}", chrono::Utc::now().timestamp() - 100));
        engine.service.tend_fleet().await.unwrap();
        let expired = job(&engine, &made.id).await;
        assert_eq!((expired.state, expired.counts.expired, expired.counts.handed), (JobState::Expired, 1, 1));
        assert_eq!(job(&engine, &done.id).await.state, JobState::Running, "it is in the node's hands");
        assert!(second.beat().await.work.is_empty());

        let page = engine.service.jobs(&Caller::admin(), page(2)).await.unwrap();
        let rest = engine.service.jobs(&Caller::admin(), Bounds { marker: page.next.clone(), limit: 2 }).await.unwrap();
        assert_eq!((page.jobs.len(), rest.jobs.len(), rest.next), (2, 1, None));
        engine.sql("UPDATE larder_jobs SET expires_at = 1000");
        engine.service.tend_fleet().await.unwrap();
        assert!(
            engine.service.jobs(&Caller::admin(), Bounds { marker: None, limit: 2 }).await.unwrap().jobs.is_empty()
        );
        let gone = engine.service.job(&Caller::admin(), &made.id, Bounds { marker: None, limit: 2 }).await;
        assert!(matches!(gone, Err(Fault::NotFound(_))));
    }
}

#[tokio::test]
async fn jobs_that_make_no_sense_are_refused() {
    for engine in engines().await {
        let ask_for = async |new: NewJob| engine.service.make_job(&Caller::admin(), new).await;
        let nobody = ask_for(ask(Action::Queue, &[1], Targets::All(true))).await;
        assert!(matches!(nobody, Err(Fault::Invalid(_))), "{nobody:?}");
        engine.agent("n1", "site=x").await;
        let unknown = ask_for(ask(Action::Queue, &[1], Targets::Names(vec![name("n1"), name("n2"), name("n3")]))).await;
        assert!(matches!(&unknown, Err(Fault::Invalid(words)) if words.contains("n2, nor 1 others")), "{unknown:?}");
        let none = ask_for(ask(Action::Queue, &[1], Targets::Selector("site=y".parse().unwrap()))).await;
        assert!(matches!(none, Err(Fault::Invalid(_))));
        let empty = ask_for(ask(Action::Queue, &[], Targets::All(true))).await;
        assert!(matches!(empty, Err(Fault::Invalid(_))));
        assert!(engine.service.jobs(&Caller::admin(), page(9)).await.unwrap().jobs.is_empty());
    }
}

#[tokio::test]
async fn a_long_list_of_work_comes_in_parts_of_whole_jobs() {
    for engine in engines().await.into_iter().take(1) {
        let mut agent = engine.agent("n1", "").await;
        let images: Vec<u32> = (0..90).collect();
        for _ in 0..12 {
            make(&engine, ask(Action::Queue, &images, Targets::All(true))).await;
        }
        let (mut parts, mut more) = (Vec::new(), true);
        while more {
            let answer = agent.beat().await;
            more = answer.more;
            parts.push(answer.work.len());
        }
        assert_eq!(parts, [990, 90]);
    }
}

#[tokio::test]
async fn rules_reach_the_nodes_that_they_are_for() {
    for engine in engines().await {
        let mut agent = engine.agent("n1", "site=x").await;
        assert_eq!(agent.beat().await.rules_version, 0);
        let rule = |nodes: &str| -> Rule {
            serde_json::from_value(serde_json::json!({"match": {"tags": ["golden"], "newest": 2}, "nodes": nodes}))
                .unwrap()
        };
        for (name, nodes) in [("b", "site=x"), ("a", ""), ("c", "site=y")] {
            engine.service.put_rule(&Caller::admin(), &name.parse().unwrap(), rule(nodes)).await.unwrap();
        }
        assert_eq!(agent.beat().await.rules_version, 3);
        assert_eq!(agent.beat().await.rules_version, 3, "it is told until it has them");
        let set = engine.service.rules(&Caller::admin(), Some(name("n1"))).await.unwrap();
        let names = |rules: &[Rule]| rules.iter().map(|it| it.name.clone().unwrap().to_string()).collect::<Vec<_>>();
        assert_eq!((set.version, names(&set.rules)), (3, vec!["a".to_owned(), "b".to_owned()]));
        agent.next.rules_version = set.version;
        agent.beat().await;
        engine.service.put_rule(&Caller::admin(), &"a".parse().unwrap(), rule("site=y")).await.unwrap();
        assert_eq!(agent.beat().await.rules_version, 4);
        engine.service.delete_rule(&Caller::admin(), &"b".parse().unwrap()).await.unwrap();
        let all = engine.service.rules(&Caller::admin(), None).await.unwrap();
        assert_eq!((all.version, names(&all.rules)), (5, vec!["a".to_owned(), "c".to_owned()]));
        let gone = engine.service.delete_rule(&Caller::admin(), &"b".parse().unwrap()).await;
        assert!(matches!(gone, Err(Fault::NotFound(_))));
        let other = Rule { name: Some("z".parse().unwrap()), ..rule("") };
        assert!(engine.service.put_rule(&Caller::admin(), &"y".parse().unwrap(), other).await.is_err());
    }
}
