//! What is told about a take-over: facts, what would be done, what stands against it.

/// Lines in the order they were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    lines: Vec<String>,
    against: usize,
}

impl Report {
    /// Something that is so.
    pub fn fact(&mut self, what: impl AsRef<str>) {
        self.lines.push(format!("found:   {}", what.as_ref()));
    }

    /// Something a start would do.
    pub fn plan(&mut self, what: impl AsRef<str>) {
        self.lines.push(format!("start:   {}", what.as_ref()));
    }

    /// Something that is taken to be so.
    pub fn assumption(&mut self, what: impl AsRef<str>) {
        self.lines.push(format!("assumed: {}", what.as_ref()));
    }

    /// Something that was done.
    pub fn done(&mut self, what: impl AsRef<str>) {
        self.lines.push(format!("done:    {}", what.as_ref()));
    }

    /// Something that stands against it.
    pub fn against(&mut self, what: impl AsRef<str>) {
        self.against += 1;
        self.lines.extend(what.as_ref().lines().map(|line| format!("AGAINST: {line}")));
    }

    /// Nothing stands against it.
    pub fn is_clear(&self) -> bool {
        self.against == 0
    }

    /// All lines.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }
}
