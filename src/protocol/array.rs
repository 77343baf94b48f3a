//! An array of a request that is read without allocating.

use bytes::Bytes;

use super::decode::Decoder;
use super::message::Element;

/// Elements that were checked when the message was decoded and are read again, one by one, when iterated; or a list
/// built by the sender.
#[derive(Clone)]
pub struct Array<T>(Body<T>);

#[derive(Clone)]
enum Body<T> {
    Decoded { bytes: Bytes, count: usize, version: i16, flexible: bool },
    Built(Vec<T>),
}

impl<T> Array<T> {
    /// No elements.
    pub const fn new() -> Self {
        Self(Body::Built(Vec::new()))
    }

    pub(super) fn decoded(bytes: Bytes, count: usize, version: i16, flexible: bool) -> Self {
        Self(Body::Decoded { bytes, count, version, flexible })
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        match &self.0 {
            Body::Decoded { count, .. } => *count,
            Body::Built(elements) => elements.len(),
        }
    }

    /// True where there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T: Element + Clone> Array<T> {
    /// The elements, in order; strings and records are slices of the frame.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter(match &self.0 {
            Body::Decoded { bytes, count, version, flexible } => {
                let mut decoder = Decoder::new(bytes.clone());
                decoder.set_flexible(*flexible);
                Source::Decoded { decoder, left: *count, version: *version }
            }
            Body::Built(elements) => Source::Built(elements.iter()),
        })
    }
}

/// Walks an `Array`.
pub struct Iter<'a, T>(Source<'a, T>);

enum Source<'a, T> {
    Decoded { decoder: Decoder, left: usize, version: i16 },
    Built(std::slice::Iter<'a, T>),
}

impl<T: Element + Clone> Iterator for Iter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        match &mut self.0 {
            Source::Decoded { decoder, left, version } => {
                *left = left.checked_sub(1)?;
                // The same bytes were read without an error before.
                T::read(decoder, *version).ok()
            }
            Source::Built(elements) => elements.next().cloned(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = match &self.0 {
            Source::Decoded { left, .. } => *left,
            Source::Built(elements) => elements.len(),
        };
        (left, Some(left))
    }
}

impl<'a, T: Element + Clone> IntoIterator for &'a Array<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T> Default for Array<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> From<Vec<T>> for Array<T> {
    fn from(elements: Vec<T>) -> Self {
        Self(Body::Built(elements))
    }
}

impl<T> FromIterator<T> for Array<T> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        Self(Body::Built(elements.into_iter().collect()))
    }
}

impl<T: Element + Clone + PartialEq> PartialEq for Array<T> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<T: Element + Clone + std::fmt::Debug> std::fmt::Debug for Array<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
