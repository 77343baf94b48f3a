//! From the log's errors to Kafka's codes, exhaustively.
