//! Conditions over the version `v`, as Rust, made of ranges.

use super::versions::Versions;

impl Versions {
    pub fn is_empty(self) -> bool {
        self.low > self.high
    }

    pub fn intersect(self, other: Self) -> Self {
        Self { low: self.low.max(other.low), high: self.high.min(other.high) }
    }

    /// Rust that tells whether `v`, known to be in `context`, lies outside this range; `None` where it cannot.
    pub fn outside(self, context: Self) -> Option<String> {
        match self.condition(context) {
            Condition::Always => None,
            Condition::Never => Some("true".to_string()),
            Condition::When(_) if self.high >= context.high => Some(format!("v < {}", self.low)),
            Condition::When(_) if self.low <= context.low => Some(format!("v > {}", self.high)),
            Condition::When(text) => Some(format!("!{text}")),
        }
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
