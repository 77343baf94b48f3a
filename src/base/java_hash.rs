//! Java's `String.hashCode` and Kafka's `Utils.abs`: they place groups and transactions on partitions.

/// `String.hashCode()`: over UTF-16 code units, wrapping.
pub fn hash_code(s: &str) -> i32 {
    s.encode_utf16().fold(0i32, |h, unit| h.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

/// `Utils.abs(hashCode) % partitions`, where `abs(i32::MIN)` is 0. Zero partitions give 0.
pub fn partition_for(key: &str, partitions: i32) -> i32 {
    let hash = hash_code(key);
    let abs = if hash == i32::MIN { 0 } else { hash.abs() };
    abs.checked_rem(partitions).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_java() {
        assert_eq!(hash_code(""), 0);
        assert_eq!(hash_code("polygenelubricants"), i32::MIN);
        assert_eq!(partition_for("polygenelubricants", 50), 0);
        assert_eq!(partition_for("my-group", 50), 12);
    }
}
