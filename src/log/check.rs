//! The check of produced records as a value of its own: a shard does it on the spot, or sends it to another thread.

use super::append::{AppendOrigin, Incoming, marker_of};
use super::config::LogConfig;
use super::core::Log;
use super::effort::Effort;
use super::error::AppendError;
use super::produced::one_batch;
use super::validate::{Refusal, Terms, validate};
use super::verification::Verification;
use crate::base::{LeaderEpoch, TimestampMs};
use crate::record::{BatchView, batches};
use bytes::Bytes;

/// Records that were found good, for [`Log::append_checked`].
pub struct Checked {
    pub(super) batches: Vec<Incoming>,
    pub(super) origin: AppendOrigin,
    pub(super) verification: Verification,
}

impl Checked {
    /// As sure of the records' transaction as `verification` says.
    #[must_use]
    pub fn verified(self, verification: Verification) -> Self {
        Self { verification, ..self }
    }
}

/// A client's records that are still to be checked; borrows nothing of the log.
pub struct Check {
    records: Bytes,
    config: LogConfig,
    now: TimestampMs,
}

impl Check {
    /// Checks, however long it takes.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub fn run(self) -> Result<Checked, AppendError> {
        let terms =
            Terms { origin: AppendOrigin::Client, epoch: LeaderEpoch::UNKNOWN, now: self.now, effort: Effort::Full };
        check(self.records, terms, &self.config).map_err(|refusal| match refusal {
            Refusal::Append(error) => error,
            Refusal::TooMuch => AppendError::InvalidRecords("The batch takes too much to be checked".into()),
        })
    }
}

impl Log {
    /// Checks a client's records as far as it is quickly done.
    ///
    /// # Errors
    /// See [`Refusal`]; [`Self::check_elsewhere`] then tells.
    pub fn check(&self, records: Bytes, now: TimestampMs) -> Result<Checked, Refusal> {
        let (origin, effort) = (AppendOrigin::Client, Effort::Turn);
        check(records, Terms { origin, epoch: LeaderEpoch::UNKNOWN, now, effort }, &self.config)
    }

    /// The same check for another thread, under the settings of now.
    pub fn check_elsewhere(&self, records: Bytes, now: TimestampMs) -> Check {
        Check { records, config: self.config.clone(), now }
    }
}

/// Checks every batch of a leader's append.
pub(super) fn check(records: Bytes, terms: Terms, config: &LogConfig) -> Result<Checked, Refusal> {
    let mut incoming = Vec::with_capacity(1);
    let mut take = |batch: BatchView<'_>| -> Result<(), Refusal> {
        let validated = validate(&batch, terms, config)?;
        let bytes = records.slice_ref(batch.bytes());
        let marker = if terms.origin == AppendOrigin::Client { None } else { marker_of(&batch) };
        let header = validated.rebuilt.as_ref().map_or(*batch.header(), |(header, _)| *header);
        incoming.push(Incoming { bytes, header, validated, marker });
        Ok(())
    };
    match terms.origin {
        AppendOrigin::Client => take(one_batch(&records)?)?,
        _ => batches(&records).try_for_each(|batch| take(batch.map_err(AppendError::from)?))?,
    }
    if incoming.is_empty() {
        return Err(AppendError::NotOneBatch(0).into());
    }
    Ok(Checked { batches: incoming, origin: terms.origin, verification: Verification::Off })
}
