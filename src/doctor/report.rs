//! What was found, as a table or as JSON.

use serde_json::json;

/// How a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As wanted.
    Ok,
    /// Worth knowing; nothing to do.
    Note,
    /// It works, but not as well as it could.
    Deviates,
    /// corelog does not run like this.
    Broken,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Deviates => "deviates",
            Self::Broken => "broken",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// `kernel`, `sysctl`, `disk` ...
    pub area: String,
    /// What was looked at.
    pub what: String,
    /// How it is.
    pub now: String,
    /// How it should be; may be empty.
    pub wanted: String,
    /// How that is.
    pub verdict: Verdict,
    /// What mends it; may be empty.
    pub mend: String,
}

/// All findings, in the order in which they were made.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The findings.
    pub findings: Vec<Finding>,
}

impl Report {
    fn add(&mut self, verdict: Verdict, [area, what, now, wanted, mend]: [&str; 5]) {
        self.findings.push(Finding {
            area: area.into(),
            what: what.into(),
            now: now.into(),
            wanted: wanted.into(),
            verdict,
            mend: mend.into(),
        });
    }

    /// Something that is as wanted, or deviates.
    pub(super) fn compare(&mut self, area: &str, what: &str, now: &str, wanted: &str, fits: bool, mend: &str) {
        let verdict = if fits { Verdict::Ok } else { Verdict::Deviates };
        self.add(verdict, [area, what, now, wanted, if fits { "" } else { mend }]);
    }

    /// Something that is told and not judged.
    pub(super) fn note(&mut self, area: &str, what: &str, now: &str, wanted: &str) {
        self.add(Verdict::Note, [area, what, now, wanted, ""]);
    }

    /// Something that keeps corelog from running.
    pub(super) fn broken(&mut self, area: &str, what: &str, now: &str, wanted: &str) {
        self.add(Verdict::Broken, [area, what, now, wanted, ""]);
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.findings.iter().filter(|finding| finding.verdict == verdict).count()
    }

    /// 0 where all is as wanted, 1 where something deviates, 2 where corelog does not run here.
    pub fn exit_code(&self) -> u8 {
        match (self.count(Verdict::Broken), self.count(Verdict::Deviates)) {
            (1.., _) => 2,
            (0, 1..) => 1,
            (0, 0) => 0,
        }
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let mut area = "";
        for finding in &self.findings {
            if finding.area != area {
                area = &finding.area;
                out += &format!("{area}\n");
            }
            let Finding { what, now, wanted, verdict, mend, .. } = finding;
            out += &format!("  {:<9} {what}: {now}", verdict.word());
            if *verdict != Verdict::Ok && !wanted.is_empty() {
                out += &format!(" (wanted: {wanted})");
            }
            if !mend.is_empty() {
                out += &format!("; {mend}");
            }
            out.push('\n');
        }
        let (deviating, broken) = (self.count(Verdict::Deviates), self.count(Verdict::Broken));
        out += &match (broken, deviating) {
            (0, 0) => "all as wanted\n".to_owned(),
            (0, n) => format!("{n} deviate\n"),
            (b, n) => format!("corelog does not run here: {b} broken, {n} deviate\n"),
        };
        out
    }

    /// For programs: one object.
    pub fn json(&self) -> String {
        let finding = |f: &Finding| {
            json!({"area": f.area, "what": f.what, "now": f.now, "wanted": f.wanted,
                   "verdict": f.verdict.word(), "mend": f.mend})
        };
        let all: Vec<_> = self.findings.iter().map(finding).collect();
        let report = json!({
            "deviating": self.count(Verdict::Deviates),
            "broken": self.count(Verdict::Broken),
            "findings": all,
        });
        format!("{report:#}\n")
    }
}
