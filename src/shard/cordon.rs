//! Cordoned log directories (`cordoned.log.dirs`, KIP-1066): nothing new comes into them, what is there stays.

use super::{CONTROLLER, Shard};
use crate::base::Uuid;
use crate::controller::change_cordoned_dirs;
use crate::ring::runtime;
use std::path::Path;
use std::rc::Rc;

impl Shard {
    /// Whether no log may be moved into the directory.
    pub fn is_cordoned(&self, dir: &Path) -> bool {
        self.live().log_dirs.cordoned.iter().any(|cordoned| cordoned == dir)
    }

    /// On the first core, when the settings may have changed: nothing new comes into the directories that are cordoned,
    /// and the metadata say so to whoever places partitions.
    pub(super) fn cordon(self: &Rc<Self>) {
        if self.index != CONTROLLER {
            return;
        }
        let dirs = self.shared.log_dirs.dirs();
        let mut cordoned: Vec<Uuid> = Vec::new();
        for dir in dirs {
            dir.set_cordoned(self.is_cordoned(dir.path()));
            cordoned.extend(dir.meta().directory_id.filter(|_| dir.is_cordoned()));
        }
        let node = self.shared.identity.node_id;
        let telling = self.change_metadata(move |image, _| change_cordoned_dirs(image, node, cordoned));
        runtime::spawn(async move { _ = telling.await }).detach();
    }

    /// At the start, once this broker is registered.
    pub fn cordon_at_start(self: &Rc<Self>) {
        if !self.live().log_dirs.cordoned.is_empty() {
            self.cordon();
        }
    }
}
