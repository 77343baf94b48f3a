//! DeleteAcls (key 31, v1-3): there is no authorizer, and nothing to delete.

use super::RequestContext;
use super::reply::Close;
use crate::base::ErrorCode;
use crate::protocol::messages::delete_acls_request::DeleteAclsRequest;
use crate::protocol::messages::delete_acls_response::{DeleteAclsFilterResult, DeleteAclsResponse};

/// Answers one request. Filters of unknown elements close the connection, as in Apache Kafka.
pub async fn handle(_: &RequestContext, request: DeleteAclsRequest) -> Result<DeleteAclsResponse, Close> {
    for filter in &request.filters {
        let elements =
            [filter.resource_type_filter, filter.pattern_type_filter, filter.operation, filter.permission_type];
        if elements.contains(&0) {
            return Err(Close::Unanswerable("an ACL filter with unknown elements"));
        }
    }
    let refused = DeleteAclsFilterResult {
        error_code: ErrorCode::SecurityDisabled.code(),
        error_message: Some("No Authorizer is configured.".into()),
        ..Default::default()
    };
    Ok(DeleteAclsResponse { filter_results: vec![refused; request.filters.len()], ..Default::default() })
}
