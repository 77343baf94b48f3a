//! Ranges of message versions.

/// An inclusive range; empty when `low > high`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Versions {
    pub low: i16,
    pub high: i16,
}

impl Versions {
    pub const NONE: Self = Self { low: 1, high: 0 };

    /// `none`, `3`, `3+` or `3-7`.
    pub fn parse(text: &str) -> Self {
        let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("versions {text}"));
        match text.split_once('-') {
            _ if text == "none" => Self::NONE,
            Some((low, high)) => Self { low: number(low), high: number(high) },
            None => match text.strip_suffix('+') {
                Some(low) => Self { low: number(low), high: i16::MAX },
                None => Self { low: number(text), high: number(text) },
            },
        }
    }

    /// True where `version` lies in the range.
    pub fn contains(self, version: i16) -> bool {
        self.low <= version && version <= self.high
    }
}
