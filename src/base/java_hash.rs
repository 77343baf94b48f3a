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

/// The order in which a `java.util.HashMap` that grew from 16 buckets gives back keys put in this order: Kafka's tools
/// print some lists so.
pub fn hash_map_order<T>(items: &mut [T], key: impl Fn(&T) -> &str) {
    let mut buckets = 16_usize;
    while items.len() * 4 > buckets * 3 {
        buckets *= 2;
    }
    let bucket = |item: &T| {
        let hash = hash_code(key(item)) as u32;
        (hash ^ (hash >> 16)) as usize & (buckets - 1)
    };
    // A stable sort: within a bucket they stay in the order they came.
    items.sort_by_key(bucket);
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

    #[test]
    fn keys_come_in_the_order_of_a_java_hash_map() {
        // As `new HashMap<>(Map.of(...)).keySet()` printed them, also after growing to 32 buckets.
        let mut few = ["retention.ms", "cleanup.policy", "segment.bytes", "max.message.bytes"];
        hash_map_order(&mut few, |key| key);
        assert_eq!(few, ["cleanup.policy", "max.message.bytes", "retention.ms", "segment.bytes"]);
        let mut many: Vec<String> = (0..20).map(|i| format!("key-{i}")).collect();
        hash_map_order(&mut many, |key| key);
        let many: Vec<&str> = many.iter().map(|key| &key["key-".len()..]).collect();
        assert_eq!(many.join(" "), "18 17 19 14 13 16 15 1 10 0 12 11 5 4 3 2 9 8 7 6");
    }
}
