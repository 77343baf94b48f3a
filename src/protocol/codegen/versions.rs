//! Ranges of message versions and the conditions made of them.

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

    pub fn is_empty(self) -> bool {
        self.low > self.high
    }

    pub fn intersect(self, other: Self) -> Self {
        Self { low: self.low.max(other.low), high: self.high.min(other.high) }
    }

    /// Rust that tells whether `v`, known to be in `context`, lies in this range.
    pub fn condition(self, context: Self) -> Condition {
        let both = self.intersect(context);
        if both.is_empty() {
            return Condition::Never;
        }
        match (both.low > context.low, both.high < context.high) {
            (false, false) => Condition::Always,
            (true, false) => Condition::When(format!("v >= {}", both.low)),
            (false, true) => Condition::When(format!("v <= {}", both.high)),
            (true, true) if both.low == both.high => Condition::When(format!("v == {}", both.low)),
            (true, true) => Condition::When(format!("({}..={}).contains(&v)", both.low, both.high)),
        }
    }
}

/// When a piece of code applies.
#[derive(Clone, PartialEq, Eq)]
pub enum Condition {
    Always,
    Never,
    When(String),
}

impl Condition {
    /// As a Rust expression.
    pub fn text(&self) -> &str {
        match self {
            Self::Always => "true",
            Self::Never => "false",
            Self::When(text) => text,
        }
    }
}
