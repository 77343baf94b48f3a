//! The odd and broken batches that `odd_batches` sends.

use crate::raw_batch::{RawBatch, RawRecord, batch, body, pack, put, raw_snappy, record, zigzag};
use corelog::record::Compression;

const PACKED: [Compression; 4] = [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
const APPEND_TIME: i16 = 8;
/// An hour, in ms.
pub const HOUR_MS: i64 = 3_600_000;

/// Records to send, to the topic of that kind.
pub struct Case {
    pub name: String,
    pub topic: &'static str,
    pub bytes: Vec<u8>,
}

struct Cases {
    now: i64,
    all: Vec<Case>,
}

impl Cases {
    fn add(&mut self, topic: &'static str, name: &str, bytes: Vec<u8>) {
        self.all.push(Case { name: format!("{topic}: {name}"), topic, bytes });
    }

    fn batch(&mut self, topic: &'static str, name: &str, batch: RawBatch) {
        self.add(topic, name, batch.bytes());
    }

    fn sound(&self, codec: Compression) -> RawBatch {
        batch(&[record(0, 0), record(1, 5), record(2, 3)], codec, self.now)
    }

    /// One record that is replaced by `change`, between two good ones.
    fn with_record(&self, codec: Compression, change: impl FnOnce(&mut RawRecord)) -> RawBatch {
        let mut odd = record(1, 5);
        change(&mut odd);
        batch(&[record(0, 0), odd, record(2, 3)], codec, self.now)
    }

    fn lengths(&mut self) {
        let sound = self.sound(Compression::None).bytes();
        for len in [0, 1, 11, 12, 16, 17, 26, 27, 60, 61, sound.len() - 1] {
            self.add("plain", &format!("cut to {len} bytes"), sound[..len].to_vec());
        }
        self.add("plain", "one byte more", [&sound[..], &[0]].concat());
        self.add("plain", "twelve zeros more", [&sound[..], &[0; 12]].concat());
        self.add("plain", "61 zeros", vec![0; 61]);
        self.add("plain", "two batches", [&sound[..], &sound[..]].concat());
        for length in [i32::MIN, -13, -1, 0, 13, 14, 15, 48, 49, 1 << 20, i32::MAX - 12, i32::MAX - 11, i32::MAX] {
            let odd = self.sound(Compression::None).with(|b| b.length = Some(length));
            self.batch("plain", &format!("length field {length}"), odd);
        }
    }

    fn headers(&mut self) {
        for magic in [0, 1, 3, 127, 128, 255] {
            self.batch("plain", &format!("magic {magic}"), self.sound(Compression::None).with(|b| b.magic = magic));
        }
        for base in [-1, 1, i64::MAX] {
            let odd = self.sound(Compression::None).with(|b| b.base_offset = base);
            self.batch("plain", &format!("base offset {base}"), odd);
        }
        for (delta, count) in [(2, 0), (2, -1), (-1, 3), (-1, 0), (1, 3), (3, 3), (1, 2), (3, 4), (i32::MAX, 3)] {
            for codec in [Compression::None, Compression::Zstd] {
                let odd = self.sound(codec).with(|b| (b.last_offset_delta, b.count) = (delta, count));
                self.batch("plain", &format!("last offset delta {delta}, count {count}, {codec:?}"), odd);
            }
        }
        for (name, bits) in [("control", 0x20), ("control and transactional", 0x30), ("delete horizon", 0x40)] {
            self.batch("plain", name, self.sound(Compression::None).with(|b| b.attributes = bits));
        }
        for bits in [0x80, 0x100, 0x4000] {
            let odd = self.sound(Compression::None).with(|b| b.attributes = bits);
            self.batch("plain", &format!("attribute bits {bits:#x}"), odd);
            let odd = self.sound(Compression::None).with(|b| (b.attributes, b.max_timestamp) = (bits, 7));
            self.batch("plain", &format!("attribute bits {bits:#x}, wrong max timestamp"), odd);
        }
        for codec in [5, 6, 7] {
            self.batch("plain", &format!("codec {codec}"), self.sound(Compression::None).with(|b| b.codec = codec));
        }
        let fresh = self.now;
        for (id, name, epoch, sequence) in
            [(fresh, "", 0, -1), (fresh, "", -1, 0), (-1, " -1", 3, 5), (-5, " -5", 0, 0)]
        {
            let odd = self.sound(Compression::None).with(|b| b.producer = (id, epoch, sequence));
            self.batch("plain", &format!("producer{name}, epoch {epoch}, sequence {sequence}"), odd);
        }
    }

    fn records(&mut self) {
        for codec in [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
            self.records_in(codec);
        }
    }

    fn records_in(&mut self, codec: Compression) {
        let add = |cases: &mut Self, name: &str, change: &dyn Fn(&mut RawRecord)| {
            let odd = cases.with_record(codec, change);
            cases.batch("plain", &format!("{name}, {codec:?}"), odd.clone());
            if matches!(codec, Compression::None | Compression::Lz4) {
                cases.batch("compacted", &format!("{name}, {codec:?}"), odd);
            }
        };
        add(self, "sound", &|_| ());
        add(self, "record attributes 255", &|r| r.attributes = 255);
        for delta in [0, 2, -1, i32::MAX] {
            add(self, &format!("offset delta {delta} where 1 follows"), &|r| r.offset_delta = delta);
        }
        for length in [-1, 0, 1, 5, 18, 1000, i32::MAX] {
            add(self, &format!("record length {length}"), &|r| r.length = Some(length));
        }
        add(self, "no key", &|r| r.key = (-1, vec![]));
        add(self, "empty key", &|r| r.key = (0, vec![]));
        add(self, "key length -2", &|r| r.key = (-2, vec![]));
        add(self, "key length beyond the record", &|r| r.key.0 = 1000);
        add(self, "no value", &|r| r.value = (-1, vec![]));
        add(self, "value length -7", &|r| r.value = (-7, vec![]));
        add(self, "value length beyond the record", &|r| r.value.0 = 2000);
        let with_headers = |count: i64, bytes: &[u8]| {
            let mut out = Vec::new();
            put(&mut out, zigzag(count));
            out.extend_from_slice(bytes);
            out
        };
        add(self, "a header", &|r| r.headers = with_headers(1, &[2, b'h', 2, b'v']));
        add(self, "a header without value", &|r| r.headers = with_headers(1, &[2, b'h', 1]));
        add(self, "a header without name", &|r| r.headers = with_headers(1, &[1, 2, b'v']));
        add(self, "a header value length -3", &|r| r.headers = with_headers(1, &[2, b'h', 5]));
        add(self, "header count -1", &|r| r.headers = with_headers(-1, &[]));
        add(self, "header count beyond the record", &|r| r.headers = with_headers(1000, &[]));
        add(self, "a varint of six bytes", &|r| r.headers = vec![0x80, 0x80, 0x80, 0x80, 0x80, 0]);
        add(self, "a byte too many", &|r| r.headers = vec![0, 0]);
        let plain = self.sound(codec);
        let long = batch(&[record(0, 0), record(1, 5), record(2, 3), record(3, 3)], codec, self.now);
        self.batch(
            "plain",
            &format!("a record too many, {codec:?}"),
            long.with(|b| {
                (b.count, b.last_offset_delta) = (3, 2);
            }),
        );
        self.batch(
            "plain",
            &format!("a record too few, {codec:?}"),
            plain.clone().with(|b| {
                (b.count, b.last_offset_delta) = (4, 3);
            }),
        );
        let long_varint = [&[0xff; 9][..], &body(&[record(0, 0)])].concat();
        let one = batch(&[record(0, 0)], codec, self.now);
        self.batch(
            "plain",
            &format!("a length of nine bytes, {codec:?}"),
            one.with(|b| {
                b.payload = pack(codec, &long_varint);
            }),
        );
    }

    fn payloads(&mut self) {
        for codec in PACKED {
            let sound = self.sound(codec);
            let len = sound.payload.len();
            for (name, payload) in [
                ("no payload", vec![]),
                ("garbage", vec![0x5a; 40]),
                ("cut by one byte", sound.payload[..len - 1].to_vec()),
                ("cut by five bytes", sound.payload[..len - 5].to_vec()),
                ("cut to the half", sound.payload[..len / 2].to_vec()),
                ("followed by garbage", [&sound.payload[..], b"garbage"].concat()),
                ("followed by a zero", [&sound.payload[..], &[0]].concat()),
                (
                    "in two parts",
                    [pack(codec, &body(&[record(0, 0)])), pack(codec, &body(&[record(1, 5), record(2, 3)]))].concat(),
                ),
                ("uncompressed under the codec's name", body(&[record(0, 0), record(1, 5), record(2, 3)])),
            ] {
                let odd = sound.clone().with(|b| b.payload = payload);
                self.batch("plain", &format!("{name}, {codec:?}"), odd);
            }
            let mut flipped = sound.clone();
            flipped.payload[len / 2] ^= 0x10;
            self.batch("plain", &format!("a flipped bit, {codec:?}"), flipped);
        }
        let raw = raw_snappy(&body(&[record(0, 0), record(1, 5), record(2, 3)]));
        self.batch("plain", "raw snappy", self.sound(Compression::Snappy).with(|b| b.payload = raw));
    }

    fn timestamps(&mut self) {
        for codec in [Compression::None, Compression::Lz4] {
            for topic in ["plain", "dated", "stamped"] {
                for (name, base, delta) in [
                    ("two hours ago", -2 * HOUR_MS, 0),
                    ("one of two hours ago", 0, -2 * HOUR_MS),
                    ("in two hours", 0, 2 * HOUR_MS),
                    ("without time", -1 - self.now, 0),
                    ("of -2", -2 - self.now, 0),
                    ("at the end of time", i64::MAX - self.now, 0),
                    ("at the begin of time", i64::MIN + self.now, 0),
                ] {
                    let second = record(1, delta);
                    let odd = batch(&[record(0, 0), second, record(2, 0)], codec, self.now.wrapping_add(base));
                    self.batch(topic, &format!("{name}, {codec:?}"), odd);
                }
                for (name, max) in [("too high", self.now + 50), ("too low", self.now - 50), ("-1", -1)] {
                    let odd = self.sound(codec).with(|b| b.max_timestamp = max);
                    self.batch(topic, &format!("max timestamp {name}, {codec:?}"), odd);
                }
                let claimed = self.sound(codec).with(|b| b.attributes = APPEND_TIME);
                self.batch(topic, &format!("append time claimed, {codec:?}"), claimed.clone());
                let far = claimed.clone().with(|b| b.max_timestamp = self.now + 2 * HOUR_MS);
                self.batch(topic, &format!("append time claimed in two hours, {codec:?}"), far);
                let none = claimed.with(|b| b.max_timestamp = -1);
                self.batch(topic, &format!("append time claimed without time, {codec:?}"), none);
            }
            let late = record(1, 2 * HOUR_MS).keyless();
            let both = batch(&[record(0, 0).keyless(), late, record(2, 2 * HOUR_MS)], codec, self.now);
            self.batch("compacted", &format!("keyless and too late, {codec:?}"), both);
        }
    }

    fn recompressed(&mut self) {
        for topic in ["gzip", "snappy", "lz4", "zstd", "uncompressed"] {
            for codec in
                [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd]
            {
                let mut rich = record(1, 5).keyless();
                rich.attributes = 9;
                rich.headers = vec![2, 2, b'h', 1];
                let odd = batch(&[record(0, 0), rich, record(2, 3)], codec, self.now);
                self.batch(topic, &format!("of {codec:?}"), odd);
            }
            let deltas = batch(&[record(5, 0), record(1, 5), record(1, 3)], Compression::None, self.now);
            self.batch(topic, "odd deltas", deltas);
            let of_producer = self.sound(Compression::None).with(|b| b.producer = (self.now, 2, 7));
            self.batch(topic, "of a producer", of_producer);
            let bits = self.sound(Compression::None).with(|b| (b.attributes, b.max_timestamp) = (0xc0, 7));
            self.batch(topic, "odd bits", bits);
            let negative = batch(&[record(0, 0), record(1, -9)], Compression::None, 5);
            self.batch(topic, "of a negative time", negative);
            let claimed = self.sound(Compression::None).with(|b| b.attributes = APPEND_TIME);
            self.batch(topic, "append time claimed", claimed);
        }
    }
}

/// All of them, dated about `now`.
pub fn cases(now: i64) -> Vec<Case> {
    let mut cases = Cases { now, all: Vec::new() };
    cases.lengths();
    cases.headers();
    cases.records();
    cases.payloads();
    cases.timestamps();
    cases.recompressed();
    cases.all
}
