//! CreateAcls (key 30, v1-3): there is no authorizer that could heed them.

use super::RequestContext;
use super::reply::Close;
use crate::base::ErrorCode;
use crate::protocol::messages::create_acls_request::CreateAclsRequest;
use crate::protocol::messages::create_acls_response::{AclCreationResult, CreateAclsResponse};

/// Answers one request. Unknown elements close the connection, as in Apache Kafka.
pub async fn handle(_: &RequestContext, request: CreateAclsRequest) -> Result<CreateAclsResponse, Close> {
    for acl in &request.creations {
        if [acl.resource_type, acl.resource_pattern_type, acl.operation, acl.permission_type].contains(&0) {
            return Err(Close::Unanswerable("an ACL with unknown elements"));
        }
    }
    let refused = AclCreationResult {
        error_code: ErrorCode::SecurityDisabled.code(),
        error_message: Some("No Authorizer is configured.".into()),
    };
    Ok(CreateAclsResponse { results: vec![refused; request.creations.len()], ..Default::default() })
}
