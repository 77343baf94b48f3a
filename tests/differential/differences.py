"""Where corelog answers otherwise than Apache Kafka 4.3.1 on purpose, or where Apache Kafka's answer is chance."""

import re
from typing import NamedTuple


class Known(NamedTuple):
    key: int
    #: of the path and the two values, as `normal.difference` tells them
    pattern: str
    reason: str
    #: of the request, as Python prints it
    asked: str = ""


KNOWN = [
    Known(75, r"no answer", "Apache Kafka fails inside and never answers"),
    Known(49, r"Entries", "an entity that is wrong in two ways: which one is told is chance (a hash table's order)", "foo.*|''"),
]


def reason(key, told, body):
    """Why this difference stands; None for one that nobody has explained."""
    for known in KNOWN:
        if known.key == key and re.search(known.pattern, told) and re.search(known.asked, repr(body)):
            return known.reason
    return None
