//! Internal topics of streams applications (changelogs, repartition topics), created because a group wants them. Nobody
//! waits: the heartbeat is told that they are missing, the next ones why, should that not change
//! (`AutoTopicCreationManager.createStreamsInternalTopics`).

use super::Shard;
use crate::base::{ErrorCode, Instant};
use crate::controller::{Decision, TopicContext, create_topics};
use crate::protocol::Str;
use crate::protocol::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use crate::ring::runtime;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// So many reasons are kept; those that end soonest go first.
const FAILURES_MAX: usize = 1_000;

/// What this core has asked for and not heard of yet, and what could not be created lately.
#[derive(Default)]
pub struct StreamsTopics {
    asked: RefCell<HashSet<Str>>,
    failures: RefCell<Failures>,
}

/// Why topics could not be created, for a while each: so long nothing is tried again.
#[derive(Default)]
struct Failures(HashMap<Str, (String, Instant)>);

impl Failures {
    fn put(&mut self, name: Str, why: String, now: Instant, until: Instant) {
        self.0.insert(name, (why, until));
        self.0.retain(|_, (_, until)| *until > now);
        while self.0.len() > FAILURES_MAX {
            let soonest = self.0.iter().min_by_key(|(_, (_, until))| *until).map(|(name, _)| name.clone());
            soonest.map(|name| self.0.remove(&name));
        }
    }

    fn get(&self, name: &str, now: Instant) -> Option<&str> {
        self.0.get(name).filter(|(_, until)| *until > now).map(|(why, _)| why.as_str())
    }
}

impl Shard {
    /// Starts the creation of those of `topics` that are not on their way and have not failed in the last
    /// `keep_failures_ms`. Returns why the others could not be created: name and reason.
    pub fn create_streams_topics(
        self: &Rc<Self>,
        topics: Vec<CreatableTopic>,
        keep_failures_ms: i64,
    ) -> Vec<(Str, String)> {
        let now = self.now().mono;
        let mut failed = Vec::new();
        let mut fresh = Vec::new();
        for topic in topics {
            match self.streams_topics.failures.borrow().get(&topic.name, now) {
                Some(why) => failed.push((topic.name, why.to_owned())),
                None if self.streams_topics.asked.borrow_mut().insert(topic.name.clone()) => fresh.push(topic),
                None => {}
            }
        }
        if !fresh.is_empty() {
            let shard = self.clone();
            runtime::spawn(async move { shard.create_streams_topics_now(fresh, keep_failures_ms).await }).detach();
        }
        failed
    }

    async fn create_streams_topics_now(self: Rc<Self>, topics: Vec<CreatableTopic>, keep_failures_ms: i64) {
        let names: Vec<Str> = topics.iter().map(|topic| topic.name.clone()).collect();
        let shared = self.shared.clone();
        let created = self.change_metadata(move |image, circumstances| {
            // Somebody else may have asked a moment ago.
            let missing = topics.iter().filter(|topic| image.topic_by_name(&topic.name).is_none());
            let topics: Vec<_> = missing.cloned().collect();
            if topics.is_empty() {
                return Decision::unchanged(Vec::new());
            }
            let request = CreateTopicsRequest { topics, ..Default::default() };
            let context = TopicContext { policy: &shared.config.topics, defaults: &shared.topic_defaults(image) };
            create_topics(image, &request, context, &mut || (circumstances.random)())
        });
        let failures: Vec<(Str, String)> = match created.await {
            Ok(results) => {
                let failed = results.into_iter().filter(|result| result.error_code != 0);
                let why =
                    |code: i16| ErrorCode::from_code(code).map_or_else(|| code.to_string(), |c| c.name().to_owned());
                failed
                    .map(|result| {
                        let text = result.error_message.as_deref().filter(|text| !text.is_empty()).map(str::to_owned);
                        (result.name, text.unwrap_or_else(|| why(result.error_code)))
                    })
                    .collect()
            }
            Err(error) => names.iter().map(|name| (name.clone(), error.name().to_owned())).collect(),
        };
        let now = self.now().mono;
        for (name, why) in failures {
            let text = format!("internal topic {name} of a streams application could not be created: {why}");
            self.shared.log_limits.warn("streams-topics", &text, now);
            self.streams_topics.failures.borrow_mut().put(name.copied(), why, now, now.plus_ms(keep_failures_ms));
        }
        self.streams_topics.asked.borrow_mut().retain(|name| !names.contains(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_kept_for_a_while_and_so_many() {
        let mut failures = Failures::default();
        let at = |ms: i64| Instant(0).plus_ms(ms);
        failures.put("a".into(), "no".to_owned(), at(0), at(10));
        assert_eq!((failures.get("a", at(9)), failures.get("a", at(10))), (Some("no"), None));
        for index in 0..=FAILURES_MAX {
            let until = at(100 + i64::try_from(index).unwrap());
            failures.put(format!("t{index}").into(), "no".to_owned(), at(20), until);
        }
        assert_eq!(failures.0.len(), FAILURES_MAX);
        assert_eq!((failures.get("t0", at(20)), failures.get("t1", at(20))), (None, Some("no")));
    }
}
