//! Campaigns: workloads out of a TOML file, run side by side in turn (A B A B) on several servers, each run a line of JSON.
//!
//! A line is written when its run ends, so what was measured before Ctrl-C is kept; tables, comparisons and the HTML
//! report are made from such files (`report`, `compare`).

mod contender;
mod diff;
mod facts;
mod html;
mod judge;
mod plan;
mod plots;
mod result;
mod run;
mod table;

pub use contender::Contender;
pub use diff::{DiffArgs, run as diff};
pub use html::{ReportArgs, run as report};
pub use judge::{JudgeArgs, judge};
pub use plan::workload_of;
pub use run::{Args, GroupsArgs, groups, one_workload, run};
