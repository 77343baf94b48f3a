"""Writes docs/COMPATIBILITY.md: what each suite's tests do on Apache Kafka 4.3.1 and on corelog, and why where they
differ (`differences.tsv`).  table.py RESULTS PAGE

What was not run now stays as the page has it."""

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


def unsaid(others):
    """What the page does not say of tests that another broker's report has: they passed, or are skipped on both."""
    return {test: "skipped" if outcome == "skipped" else "passed" for test, outcome in others.items()}


def counted(results):
    kinds = [k for k in ("passed", "failed", "skipped") if k in results.values()]
    return ", ".join(f"{list(results.values()).count(k)} {k}" for k in kinds)


def before(page):
    """What the page says so far: {(suite, broker): counts} and {(suite, broker): {test: outcome}}."""
    counts, tests = {}, {}
    for line in page.read_text().splitlines() if page.exists() else ():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and cells[0] in SUITES:
            counts.update({(cells[0], broker): cell for broker, cell in zip(BROKERS, cells[2:])})
        if len(cells) >= 5 and cells[0] in SUITES:
            for broker, cell in zip(BROKERS, cells[2:4]):
                tests.setdefault((cells[0], broker), {})[cells[1].strip("`")] = cell
    return counts, tests


def main(results, page):
    reasons = {}
    for line in (HERE / "differences.tsv").read_text().splitlines():
        suite, test, reason = line.split("\t")
        reasons[suite, test] = reason
    counts, known = before(page)
    rows, differences, unexplained = [], [], 0
    for suite, what in SUITES.items():
        reports = {b: results / f"{b}-{suite}.xml" for b in BROKERS}
        ran = {b: outcomes(report) if report.exists() else {} for b, report in reports.items()}
        cells = [counted(ran[b]) or counts.get((suite, b), "not run") for b in BROKERS]
        rows.append(f"| {suite} | {what} | {cells[0]} | {cells[1]} |")
        # Of what was not run again, the page has only what did not pass.
        told = {b: ran[b] or {**unsaid(ran[other]), **known.get((suite, b), {})} for b, other in zip(BROKERS, BROKERS[::-1])}
        for test in sorted({**told[BROKERS[0]], **told[BROKERS[1]]}):
            each = [told[b].get(test, "not asked") if (suite, b) in counts or ran[b] else "not run" for b in BROKERS]
            if each[0] == each[1] == "passed" or "skipped" in each and len(set(each)) == 1:
                continue
            reason = reasons.get((suite, test)) or reasons.get((suite, test.split("[")[0])) or "**not explained yet**"
            unexplained += "not explained" in reason
            differences.append(f"| {suite} | `{test}` | {each[0]} | {each[1]} | {reason} |")
    text = (HERE / "page.md").read_text()
    text = text.replace("@SUITES@", "\n".join(rows)).replace("@DIFFERENCES@", "\n".join(differences) or "| | none | | | |")
    page.write_text(text)
    print(f"{page}: {len(rows)} suites, {len(differences)} tests that do not pass on both, {unexplained} of them not explained")


main(*map(Path, sys.argv[1:]))
