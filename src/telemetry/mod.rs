//! Clients' own metrics (KIP-714): who is asked for which, and the newest values they pushed. Pure; one per core, which
//! holds the client instances whose ids fall to it.
//!
//! [`Telemetry::series`] is what an exporter reads.

mod attributes;
mod instances;
mod otlp;
mod series;
mod subscription;
#[cfg(test)]
mod tests;

pub use attributes::ClientAttributes;
pub use instances::{Push, Telemetry, TelemetryConfig};
pub use series::{ClientSeries, Series};
pub use subscription::Subscription;
