//! DescribeTransactions (key 65, v0): what the coordinators know of transactional ids (KIP-664).

use super::RequestContext;
use super::coordinate::{ask_all, by_partition};
use super::reply::Close;
use crate::base::ErrorCode;
use crate::coordinator::transaction::{Answer, Request, Transactions};
use crate::protocol::messages::{DescribeTransactionsRequest, DescribeTransactionsResponse};
use std::collections::HashMap;

/// Answers one request, in the request's order.
pub async fn handle(
    ctx: &RequestContext,
    request: DescribeTransactionsRequest,
) -> Result<DescribeTransactionsResponse, Close> {
    let order: HashMap<_, usize> =
        request.transactional_ids.iter().enumerate().map(|(place, id)| (id.clone(), place)).collect();
    let (homeless, shares) = by_partition::<Transactions, _>(ctx, request.transactional_ids);
    let asked = shares.into_iter().map(|(id, share)| (id, Request::Describe(share))).collect();
    let mut states = match Request::Describe(homeless).refuse(ErrorCode::NotCoordinator) {
        Answer::Described(states) => states,
        _ => Vec::new(),
    };
    for answer in ask_all::<Transactions>(ctx, asked).await {
        if let Answer::Described(share) = answer {
            states.extend(share);
        }
    }
    states.sort_by_key(|state| order.get(&state.transactional_id).copied());
    Ok(DescribeTransactionsResponse { transaction_states: states, ..Default::default() })
}
