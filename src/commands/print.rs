//! Small helpers of what the tools print.

use super::Streams;
use crate::protocol::json::Json;
use std::fmt::Display;
use std::io;

/// `1,2,3`
pub fn joined<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    separated(items, ",")
}

/// The items with something between them.
pub fn separated<T: Display>(items: impl IntoIterator<Item = T>, between: &str) -> String {
    let texts: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    texts.join(between)
}

/// `null`, or the text.
pub fn text(value: Option<&str>) -> Json {
    value.map_or(Json::Null, |value| Json::Text(value.to_owned()))
}

/// `null`, or the number.
pub fn number(value: Option<impl Into<i64>>) -> Json {
    value.map_or(Json::Null, |value| Json::Int(value.into()))
}

/// An array of numbers.
pub fn numbers(values: &[i32]) -> Json {
    Json::Array(values.iter().map(|value| Json::Int((*value).into())).collect())
}

/// Prints a line of JSON.
///
/// # Errors
/// Of writing.
pub fn json(streams: &mut Streams<'_>, value: &Json) -> io::Result<()> {
    writeln!(streams.out, "{value}")
}

/// Prints a table as Kafka's tools do: each cell as wide as the widest of its column, and a tab behind it
/// (`ToolsUtils.prettyPrintTable`).
///
/// # Errors
/// Of writing.
pub fn table<const N: usize>(streams: &mut Streams<'_>, columns: [&str; N], rows: &[[String; N]]) -> io::Result<()> {
    let head = columns.map(str::to_owned);
    let all = || std::iter::once(&head).chain(rows);
    let widths: [usize; N] = std::array::from_fn(|column| {
        let cells = all().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    });
    for row in all() {
        for (cell, width) in row.iter().zip(widths) {
            write!(streams.out, "{cell:<width$}\t")?;
        }
        writeln!(streams.out)?;
    }
    Ok(())
}
