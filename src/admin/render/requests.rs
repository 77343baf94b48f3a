//! Requests, errors, bytes and latencies by API.

use crate::admin::survey::CoreFacts;
use crate::admin::text::{Family, Kind, Text};
use crate::base::ErrorCode;
use crate::base::histogram::{Distribution, upper_bound_ns};
use crate::protocol::ApiKey;
use std::collections::BTreeMap;
use std::fmt::Display;

#[derive(Default)]
struct Sum {
    requests: u64,
    request_bytes: u64,
    response_bytes: u64,
    total_time: Distribution,
}

/// All cores together.
pub fn write(cores: &[CoreFacts], out: &mut Text) {
    let mut apis: BTreeMap<ApiKey, Sum> = BTreeMap::new();
    let mut errors: BTreeMap<(ApiKey, i16), u64> = BTreeMap::new();
    for core in cores {
        for api in &core.apis {
            let sum = apis.entry(api.key).or_default();
            sum.requests += api.requests;
            sum.request_bytes += api.request_bytes;
            sum.response_bytes += api.response_bytes;
            sum.total_time.add(&api.total_time);
        }
        core.errors.iter().for_each(|(key, error, count)| *errors.entry((*key, *error)).or_default() += count);
    }
    let counted: [(&str, &str, fn(&Sum) -> u64); 3] = [
        ("kafka_network_requestmetrics_requests_total", "Requests answered.", |s| s.requests),
        ("kafka_network_requestmetrics_requestbytes_total", "Bytes of the requests.", |s| s.request_bytes),
        ("kafka_network_requestmetrics_responsebytes_total", "Bytes of the answers.", |s| s.response_bytes),
    ];
    for (name, help, value) in counted {
        let mut family = out.family(name, Kind::Counter, help);
        apis.iter().for_each(|(key, sum)| family.sample(&[("request", &key.name())], value(sum)));
    }
    let mut family = out.family(
        "kafka_network_requestmetrics_errors_total",
        Kind::Counter,
        "Error codes in answers, one for each partition or resource that has one.",
    );
    for ((key, error), count) in &errors {
        let error = ErrorCode::from_code(*error).map_or("UNKNOWN", ErrorCode::name);
        family.sample(&[("request", &key.name()), ("error", &error)], count);
    }
    let mut family = out.family(
        "kafka_network_requestmetrics_totaltime_seconds",
        Kind::Histogram,
        "From a request's arrival until its answer had left (TotalTimeMs); a fetch that waits for records, waits in here.",
    );
    for (key, sum) in &apis {
        distribution(&mut family, &[("request", &key.name())], &sum.total_time);
    }
}

/// The samples of one histogram, in seconds.
pub fn distribution(family: &mut Family, labels: &[(&str, &dyn Display)], counted: &Distribution) {
    let mut below = 0;
    for (bucket, count) in counted.counts.iter().enumerate() {
        below += count;
        let bound = upper_bound_ns(bucket).map(|ns| ns as f64 / 1e9);
        let le = bound.map_or("+Inf".to_owned(), |bound| bound.to_string());
        let with_bound: Vec<(&str, &dyn Display)> =
            labels.iter().copied().chain([("le", &le as &dyn Display)]).collect();
        family.sample_of("_bucket", &with_bound, below);
    }
    family.sample_of("_sum", labels, counted.sum_ns as f64 / 1e9);
    family.sample_of("_count", labels, below);
}
