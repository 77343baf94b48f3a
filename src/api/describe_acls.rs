//! DescribeAcls (key 29, v1-3): there is no authorizer, so there are no ACLs to tell of.

use super::RequestContext;
use super::reply::Close;
use crate::base::ErrorCode;
use crate::protocol::messages::{DescribeAclsRequest, DescribeAclsResponse};

/// Answers one request. A filter of unknown elements closes the connection, as in Apache Kafka.
pub async fn handle(_: &RequestContext, request: DescribeAclsRequest) -> Result<DescribeAclsResponse, Close> {
    let elements =
        [request.resource_type_filter, request.pattern_type_filter, request.operation, request.permission_type];
    if elements.contains(&0) {
        return Err(Close::Unanswerable("an ACL filter with unknown elements"));
    }
    Ok(DescribeAclsResponse {
        error_code: ErrorCode::SecurityDisabled.code(),
        error_message: Some("No Authorizer is configured on the broker".into()),
        ..Default::default()
    })
}
