//! ListTransactions (key 66, v0-2): the transactional ids of this broker's coordinators (KIP-664), by state, producer,
//! duration (KIP-994) and pattern (KIP-1152).

use super::RequestContext;
use super::coordinate::{all_partitions, ask_all};
use super::reply::Close;
use crate::base::ErrorCode;
use crate::coordinator::transaction::{Answer, Filter, Request, Transactions, TxnState};
use crate::protocol::messages::{ListTransactionsRequest, ListTransactionsResponse};
use regex::Regex;

/// A pattern may compile to at most so many bytes.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// Answers one request.
pub async fn handle(ctx: &RequestContext, request: ListTransactionsRequest) -> Result<ListTransactionsResponse, Close> {
    let Ok(pattern) = pattern(request.transactional_id_pattern.as_deref()) else {
        let error_code = ErrorCode::InvalidRegularExpression.code();
        return Ok(ListTransactionsResponse { error_code, ..Default::default() });
    };
    let names = &request.state_filters;
    let filter = Filter {
        states: (!names.is_empty()).then(|| names.iter().filter_map(|name| TxnState::from_name(name)).collect()),
        producers: request.producer_id_filters.iter().copied().collect(),
        duration_ms: request.duration_filter,
        pattern,
    };
    let asked = all_partitions::<Transactions>(ctx).into_iter().map(|id| (id, Request::List(filter.clone()))).collect();
    let mut response = ListTransactionsResponse::default();
    for answer in ask_all::<Transactions>(ctx, asked).await {
        match answer {
            Answer::Listed(Ok(states)) => response.transaction_states.extend(states),
            // Half a list would pass for a whole one.
            Answer::Listed(Err(ErrorCode::CoordinatorLoadInProgress)) => {
                let error_code = ErrorCode::CoordinatorLoadInProgress.code();
                return Ok(ListTransactionsResponse { error_code, ..Default::default() });
            }
            _ => {}
        }
    }
    response.unknown_state_filters = names.iter().filter(|name| TxnState::from_name(name).is_none()).cloned().collect();
    Ok(response)
}

/// The pattern has to match the whole id, as Java's `matches`. Empty: none.
fn pattern(text: Option<&str>) -> Result<Option<Regex>, regex::Error> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    regex::RegexBuilder::new(&format!("^(?:{text})$")).size_limit(PATTERN_BYTES_MAX).build().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_the_whole_id() {
        let matches = |text: &str, id: &str| pattern(Some(text)).unwrap().unwrap().is_match(id);
        assert!(matches("app-.*", "app-7") && !matches("app", "app-7") && !matches("pp-7", "app-7"));
        assert!(matches("a|b", "b") && !matches("a|b", "ab"));
        assert!(pattern(Some("")).unwrap().is_none() && pattern(None).unwrap().is_none());
        assert!(pattern(Some("(")).is_err() && pattern(Some("(?:a{1000}){1000}")).is_err());
    }
}
