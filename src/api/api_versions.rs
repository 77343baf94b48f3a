//! ApiVersions (key 18, v0-4): what is served, straight from the table (KIP-511, 584).

use super::RequestContext;
use super::reply::{Close, Reply, Response};
use super::table;
use crate::base::ErrorCode;
use crate::metadata::features;
use crate::protocol::messages::api_versions_request::ApiVersionsRequest;
use crate::protocol::messages::api_versions_response::{
    ApiVersion, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};
use crate::protocol::{ApiKey, Str, decode_request};
use bytes::Bytes;
use std::rc::Rc;

/// Answers any version: one that is not served gets a v0 body that names ours.
pub async fn handle(ctx: Rc<RequestContext>, body: Bytes) -> Reply {
    let served = table::find(ApiKey::ApiVersions as i16).is_some_and(|api| api.versions.contains(&ctx.api_version));
    if !served {
        let own = table::APIS.iter().filter(|api| api.key == ApiKey::ApiVersions).map(line).collect();
        let code = ErrorCode::UnsupportedVersion.code();
        return send(&ApiVersionsResponse { error_code: code, api_keys: own, ..ApiVersionsResponse::default() }, 0);
    }
    let request: ApiVersionsRequest = match decode_request(body, ctx.api_version) {
        Ok(request) => request,
        Err(e) => return Reply::Close(Close::Malformed(e)),
    };
    if ctx.api_version >= 3
        && !(is_software(&request.client_software_name) && is_software(&request.client_software_version))
    {
        let code = ErrorCode::InvalidRequest.code();
        return send(&ApiVersionsResponse { error_code: code, ..ApiVersionsResponse::default() }, ctx.api_version);
    }
    if ctx.api_version >= 3 {
        let software = (request.client_software_name.to_string(), request.client_software_version.to_string());
        *ctx.connection.software.borrow_mut() = Some(software);
    }
    send(&answer(&ctx), ctx.api_version)
}

fn answer(ctx: &RequestContext) -> ApiVersionsResponse {
    let image = ctx.shard.image();
    // Kafka leaves out a feature whose lowest version is 0 before v4: older clients cannot read it.
    let supported = features::SUPPORTED.iter().filter(|f| ctx.api_version >= 4 || f.min > 0);
    ApiVersionsResponse {
        api_keys: table::APIS.iter().map(line).collect(),
        supported_features: supported
            .map(|f| SupportedFeatureKey { name: Str::from(f.name), min_version: f.min, max_version: f.max })
            .collect(),
        finalized_features_epoch: image.offset().0,
        finalized_features: image
            .features()
            .filter(|(name, _)| features::is_served(name))
            .map(|(name, level)| FinalizedFeatureKey {
                name: Str::from(name),
                max_version_level: level,
                min_version_level: level,
            })
            .collect(),
        ..ApiVersionsResponse::default()
    }
}

fn line(api: &table::Api) -> ApiVersion {
    ApiVersion { api_key: api.key as i16, min_version: api.advertised_from, max_version: *api.versions.end() }
}

/// KIP-511: letters, digits, dashes and dots, beginning and ending with a letter or digit.
fn is_software(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    bytes.iter().all(|b| inner(*b)) && edge(bytes.first()) && edge(bytes.last())
}

fn send(response: &ApiVersionsResponse, version: i16) -> Reply {
    match Response::of(response, version) {
        Ok(response) => Reply::Send(response),
        Err(close) => Reply::Close(close),
    }
}
