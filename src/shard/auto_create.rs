//! Topics that come into being because somebody asked for them. Nobody waits: the first answer is "unknown, try again",
//! and creation follows on the controller's core.

use super::Shard;
use crate::base::topic::is_internal;
use crate::controller::{Decision, InternalTopics, TopicContext, creatable, create_topics};
use crate::protocol::Str;
use crate::protocol::messages::create_topics_request::CreateTopicsRequest;
use crate::ring::runtime;
use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

/// Topics this core has asked for and not heard of yet: many clients ask at once, and again and again.
#[derive(Default)]
pub struct AutoCreate {
    asked: RefCell<HashSet<Str>>,
}

impl Shard {
    /// Starts the creation of one internal topic.
    pub fn create_internal_topic(self: &Rc<Self>, name: &str) {
        self.create_on_demand(vec![name.into()]);
    }

    /// Starts the creation of those of `names` that do not exist and may. Failures are logged, rate-limited.
    /// Internal topics, which have many partitions, hold the others up no longer than they must.
    pub fn create_on_demand(self: &Rc<Self>, names: Vec<Str>) {
        let mut asked = self.auto_create.asked.borrow_mut();
        // Copies: a slice of the request would keep its frame.
        let fresh = names.iter().map(Str::copied).filter(|name| asked.insert(name.clone()));
        let (internal, others): (Vec<_>, Vec<_>) = fresh.partition(|name| is_internal(name));
        drop(asked);
        for names in [others, internal].into_iter().filter(|names| !names.is_empty()) {
            let shard = self.clone();
            runtime::spawn(async move {
                shard.create_missing(names.clone()).await;
                let mut asked = shard.auto_create.asked.borrow_mut();
                asked.retain(|name| !names.contains(name));
            })
            .detach();
        }
    }

    async fn create_missing(self: &Rc<Self>, names: Vec<Str>) {
        let shared = self.shared.clone();
        let created = self.change_metadata(move |image, circumstances| {
            let config = &shared.config;
            let internal =
                InternalTopics { groups: &config.groups, transactions: &config.transactions, share: &config.share };
            // Somebody else may have asked a moment ago.
            let missing = names.iter().filter(|name| image.topic_by_name(name).is_none());
            let topics: Vec<_> = missing.filter_map(|name| creatable(name, internal)).collect();
            if topics.is_empty() {
                return Decision::unchanged(Vec::new());
            }
            let request = CreateTopicsRequest { topics, ..Default::default() };
            let context = TopicContext { policy: &config.topics, defaults: &shared.topic_defaults(image) };
            create_topics(image, &request, context, &mut || (circumstances.random)())
        });
        match created.await {
            Ok(results) => {
                for result in results.iter().filter(|result| result.error_code != 0) {
                    let why = result.error_message.as_deref().unwrap_or("refused");
                    let text = format!("topic {} could not be created on demand: {why}", result.name);
                    self.shared.log_limits.warn("auto-create", &text, self.now().mono);
                }
            }
            Err(error) => {
                let text = format!("topics could not be created on demand: {error}");
                self.shared.log_limits.warn("auto-create", &text, self.now().mono);
            }
        }
    }
}
