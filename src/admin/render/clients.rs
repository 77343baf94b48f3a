//! What clients push of themselves (KIP-714). Names and labels are theirs, so they stand as values of labels.

use crate::admin::survey::CoreFacts;
use crate::admin::text::{Kind, Text};

/// All cores together.
pub fn write(cores: &[CoreFacts], out: &mut Text) {
    let instances: usize = cores.iter().map(|core| core.client_instances).sum();
    out.gauge("kafka_server_clientmetrics_clientmetricsinstancecount", "Clients that push their metrics.", instances);
    let left_out: usize = cores.iter().map(|core| core.client_series_left_out).sum();
    out.gauge("corelog_metrics_client_series_left_out", "Clients' series without lines of their own.", left_out);
    let help = "The newest value that a client pushed; its labels in one.";
    let mut family = out.family("corelog_client_metric", Kind::Gauge, help);
    for it in cores.iter().flat_map(|core| &core.client_series) {
        let labels: [(&str, &dyn std::fmt::Display); 5] = [
            ("client_id", &it.client_id),
            ("client_instance_id", &it.instance_id),
            ("client_software", &it.software),
            ("metric", &it.metric),
            ("labels", &it.labels),
        ];
        family.sample(&labels, it.value);
    }
}
