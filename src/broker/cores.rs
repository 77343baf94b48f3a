//! Which CPUs get a shard: `corelog.cores`.

use super::Failure;
use crate::config::CoreSelection;
use crate::ring::process::cores;

/// CPU numbers, one per shard.
pub struct Cores(Vec<usize>);

impl Cores {
    /// Resolves the selection against what the process may run on.
    pub fn choose(selection: &CoreSelection) -> Result<Self, Failure> {
        let available = cores::available();
        let chosen = match selection {
            CoreSelection::All => available.to_vec(),
            CoreSelection::Count(n) if *n <= available.len() => available[..*n].to_vec(),
            CoreSelection::Count(n) => {
                return Err(Failure(format!(
                    "corelog.cores={n}: the process may run on {} cores only",
                    available.len()
                )));
            }
            CoreSelection::List(list) => {
                if let Some(foreign) = list.iter().find(|cpu| !available.contains(cpu)) {
                    return Err(Failure(format!(
                        "corelog.cores: the process may not run on core {foreign}, but on {available:?}"
                    )));
                }
                list.clone()
            }
        };
        Ok(Self(chosen))
    }

    /// The CPU numbers.
    pub fn numbers(&self) -> &[usize] {
        &self.0
    }
}
