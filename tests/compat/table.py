"""Writes docs/COMPATIBILITY.md: what each suite's tests do on Apache Kafka 4.3.1 and on corelog, and why where they
differ (`differences.tsv`).  table.py RESULTS PAGE"""

import sys
import xml.etree.ElementTree as tree
from pathlib import Path

BROKERS = ("apache-kafka", "corelog")
HERE = Path(__file__).parent
SUITES = dict(line.split("\t", 1) for line in (HERE / "suites.tsv").read_text().splitlines())


def outcomes(report):
    """{test: passed, failed or skipped} of a JUnit report."""
    found = {}
    for case in tree.parse(report).getroot().iter("testcase"):
        kinds = {child.tag for child in case}
        outcome = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        found[case.get("name")] = outcome
    return found


def counted(results):
    kinds = [k for k in ("passed", "failed", "skipped") if k in results.values()]
    return ", ".join(f"{list(results.values()).count(k)} {k}" for k in kinds) or "not run"


def main(results, page):
    reasons = {}
    for line in (HERE / "differences.tsv").read_text().splitlines():
        suite, test, reason = line.split("\t")
        reasons[suite, test] = reason
    rows, differences, unexplained = [], [], 0
    for suite, what in SUITES.items():
        ran = {b: outcomes(f) if (f := Path(results) / f"{b}-{suite}.xml").exists() else {} for b in BROKERS}
        rows.append(f"| {suite} | {what} | {counted(ran[BROKERS[0]])} | {counted(ran[BROKERS[1]])} |")
        for test in sorted({**ran[BROKERS[0]], **ran[BROKERS[1]]}):
            each = [ran[b].get(test, "not asked" if ran[b] else "not run") for b in BROKERS]
            if each[0] == each[1] == "passed" or "skipped" in each and len(set(each)) == 1:
                continue
            reason = reasons.get((suite, test)) or reasons.get((suite, test.split("[")[0])) or "**not explained yet**"
            unexplained += "not explained" in reason
            differences.append(f"| {suite} | `{test}` | {each[0]} | {each[1]} | {reason} |")
    text = (HERE / "page.md").read_text()
    text = text.replace("@SUITES@", "\n".join(rows)).replace("@DIFFERENCES@", "\n".join(differences) or "| | none | | | |")
    Path(page).write_text(text)
    print(f"{page}: {len(rows)} suites, {len(differences)} tests that do not pass on both, {unexplained} of them not explained")


main(*sys.argv[1:])
