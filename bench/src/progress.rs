//! How far a campaign is: a bar where somebody looks (a terminal), else a line for each run.

use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// The bar; hidden where standard error is no terminal.
pub struct Progress(ProgressBar);

impl Progress {
    /// Of so many rounds.
    pub fn of(rounds: usize) -> Self {
        let bar = ProgressBar::new(rounds as u64);
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} rounds, {elapsed}, {eta} left: {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        if !bar.is_hidden() {
            // Twice a second: the load is on this machine too.
            bar.enable_steady_tick(Duration::from_millis(500));
        }
        Self(bar)
    }

    /// What runs now.
    pub fn now(&self, what: &str) {
        self.0.set_message(what.to_owned());
    }

    /// What a run came to.
    pub fn tell(&self, line: &str) {
        if self.0.is_hidden() { eprintln!("{line}") } else { self.0.println(line) }
    }

    /// A round is over.
    pub fn round(&self) {
        self.0.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
