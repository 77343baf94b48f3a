//! Kafka's names as Rust's.

/// `TopicId` -> `topic_id`, `KRaftVersion` -> `kraft_version`; a Rust keyword becomes a raw identifier.
pub fn field(name: &str) -> String {
    match snake(name) {
        name if ["type", "match"].contains(&name.as_str()) => format!("r#{name}"),
        name => name,
    }
}

/// `TopicId` -> `topic_id`.
pub fn snake(name: &str) -> String {
    let chars: Vec<char> = name.replace("KRaft", "Kraft").chars().collect();
    let mut out = String::new();
    for (at, &c) in chars.iter().enumerate() {
        let starts_word = c.is_ascii_uppercase()
            && at > 0
            && (!chars[at - 1].is_ascii_uppercase() || chars.get(at + 1).is_some_and(char::is_ascii_lowercase));
        if starts_word {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}
