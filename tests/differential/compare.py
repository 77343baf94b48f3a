"""Differences, told apart: those with a reason are counted, the others told."""

from collections import Counter

from .differences import reason
from .normal import difference


class Comparison:
    def __init__(self, told_per_key=3):
        self.told_per_key = told_per_key
        self.asked, self.explained, self.unexplained, self.untold = Counter(), Counter(), Counter(), []

    def add(self, label, requests, expected, found):
        before = set()
        for (key, version, body), a, b in zip(requests, expected, found, strict=True):
            self.asked[key] += 1
            parted = difference(a, b)
            known = parted and reason(key, parted, body, before)
            before.add(key)
            if known:
                self.explained[known.reason] += 1
                if known.ends:
                    return
            elif parted:
                self.unexplained[key] += 1
                if self.unexplained[key] <= self.told_per_key:
                    self.untold.append(f"sequence {label}: key {key} v{version} {body!r:.700}\n  {parted}")

    def tell(self):
        """Prints what was found since the last time."""
        for told in self.untold:
            print(told, flush=True)
        self.untold = []

    def summary(self, sequences):
        lines = [f"{times:6} x {why}" for why, times in self.explained.most_common()]
        unexplained = sum(self.unexplained.values())
        lines.append(
            f"{sequences} sequences, {sum(self.asked.values())} requests of {len(self.asked)} keys, "
            f"{sum(self.explained.values())} differences with a reason, {unexplained} without {dict(self.unexplained)}"
        )
        return "\n".join(lines)
