//! OpenTelemetry's `MetricsData` as clients push it: protobuf, of which gauges, sums and the sums and counts of
//! histograms are read (opentelemetry-proto, metrics v1).

use super::series::Series;

/// A value that is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Of what.
    pub series: Series,
    /// How much.
    pub value: f64,
    /// Since the last push, not since the beginning.
    pub is_delta: bool,
}

/// The bytes are no `MetricsData`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Messages inside one another; those of OpenTelemetry need six.
const MAX_LABELS: usize = 64;
const AGGREGATION_DELTA: u64 = 1;

/// A field of a message.
enum Field<'a> {
    Number(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32,
}

/// Hands each point to `take`.
pub fn read(data: &[u8], take: &mut dyn FnMut(Point)) -> Result<(), Malformed> {
    each(data, &mut |number, resource| match (number, resource) {
        (1, Field::Bytes(resource)) => each(resource, &mut |number, scope| match (number, scope) {
            (2, Field::Bytes(scope)) => each(scope, &mut |number, metric| match (number, metric) {
                (2, Field::Bytes(bytes)) => metric_of(bytes, take),
                _ => Ok(()),
            }),
            _ => Ok(()),
        }),
        _ => Ok(()),
    })
}

const GAUGE: u64 = 5;
const SUM: u64 = 7;
const HISTOGRAM: u64 = 9;

fn metric_of(bytes: &[u8], take: &mut dyn FnMut(Point)) -> Result<(), Malformed> {
    let (mut name, mut data) = (String::new(), None);
    each(bytes, &mut |number, field| {
        match (number, field) {
            (1, Field::Bytes(text)) => name = text_of(text)?,
            (kind @ (GAUGE | SUM | HISTOGRAM), Field::Bytes(bytes)) => data = Some((kind, bytes)),
            _ => {}
        }
        Ok(())
    })?;
    let Some((kind, bytes)) = data else { return Ok(()) };
    let (mut points, mut is_delta, mut monotonic) = (Vec::new(), false, false);
    each(bytes, &mut |number, field| {
        match (number, field) {
            (1, Field::Bytes(point)) => points.push(point),
            (2, Field::Number(temporality)) => is_delta = temporality == AGGREGATION_DELTA,
            (3, Field::Number(flag)) => monotonic = flag != 0,
            _ => {}
        }
        Ok(())
    })?;
    for point in points {
        match kind {
            HISTOGRAM => histogram(&name, point, is_delta, take)?,
            _ => number(&name, point, kind == SUM && is_delta, kind == SUM && monotonic, take)?,
        }
    }
    Ok(())
}

fn number(
    name: &str,
    bytes: &[u8],
    is_delta: bool,
    is_counter: bool,
    take: &mut dyn FnMut(Point),
) -> Result<(), Malformed> {
    let (mut value, mut labels) = (None, Vec::new());
    each(bytes, &mut |number, field| {
        match (number, field) {
            (4, Field::Fixed64(bits)) => value = Some(f64::from_bits(bits)),
            (6, Field::Fixed64(bits)) => value = Some(bits.cast_signed() as f64),
            (7, Field::Bytes(label)) => add_label(&mut labels, label)?,
            _ => {}
        }
        Ok(())
    })?;
    let Some(value) = value.filter(|value| !value.is_nan()) else { return Ok(()) };
    labels.sort();
    take(Point { series: Series { name: name.to_owned(), labels, is_counter }, value, is_delta });
    Ok(())
}

fn histogram(name: &str, bytes: &[u8], is_delta: bool, take: &mut dyn FnMut(Point)) -> Result<(), Malformed> {
    let (mut count, mut sum, mut labels) = (None, None, Vec::new());
    each(bytes, &mut |number, field| {
        match (number, field) {
            (4, Field::Fixed64(bits)) => count = Some(bits as f64),
            (5, Field::Fixed64(bits)) => sum = Some(f64::from_bits(bits)),
            (9, Field::Bytes(label)) => add_label(&mut labels, label)?,
            _ => {}
        }
        Ok(())
    })?;
    labels.sort();
    for (what, value) in [("count", count), ("sum", sum)] {
        let Some(value) = value.filter(|value| !value.is_nan()) else { continue };
        let series = Series { name: format!("{name}.{what}"), labels: labels.clone(), is_counter: true };
        take(Point { series, value, is_delta });
    }
    Ok(())
}

fn add_label(labels: &mut Vec<(String, String)>, bytes: &[u8]) -> Result<(), Malformed> {
    let (mut name, mut value) = (String::new(), String::new());
    each(bytes, &mut |number, field| {
        match (number, field) {
            (1, Field::Bytes(text)) => name = text_of(text)?,
            (2, Field::Bytes(any)) => each(any, &mut |number, field| {
                match (number, field) {
                    (1, Field::Bytes(text)) => value = text_of(text)?,
                    (2, Field::Number(flag)) => value = (flag != 0).to_string(),
                    (3, Field::Number(number)) => value = number.cast_signed().to_string(),
                    (4, Field::Fixed64(bits)) => value = f64::from_bits(bits).to_string(),
                    _ => {}
                }
                Ok(())
            })?,
            _ => {}
        }
        Ok(())
    })?;
    if labels.len() < MAX_LABELS {
        labels.push((name, value));
    }
    Ok(())
}

fn text_of(bytes: &[u8]) -> Result<String, Malformed> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| Malformed)
}

/// Each field of a message, in its order.
fn each<'a>(
    mut bytes: &'a [u8],
    take: &mut dyn FnMut(u64, Field<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        let field = match key & 7 {
            0 => Field::Number(varint(&mut bytes)?),
            1 => Field::Fixed64(u64::from_le_bytes(*cut::<8>(&mut bytes)?)),
            2 => {
                let len = usize::try_from(varint(&mut bytes)?).map_err(|_| Malformed)?;
                let (value, rest) = bytes.split_at_checked(len).ok_or(Malformed)?;
                bytes = rest;
                Field::Bytes(value)
            }
            5 => {
                cut::<4>(&mut bytes)?;
                Field::Fixed32
            }
            _ => return Err(Malformed),
        };
        take(key >> 3, field)?;
    }
    Ok(())
}

fn cut<'a, const N: usize>(bytes: &mut &'a [u8]) -> Result<&'a [u8; N], Malformed> {
    let (value, rest) = bytes.split_first_chunk::<N>().ok_or(Malformed)?;
    *bytes = rest;
    Ok(value)
}

fn varint(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(Malformed)?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Malformed)
}
