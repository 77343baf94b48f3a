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


HASHED = "a resource that is wrong in two ways: which one is told is chance (a hash table's order)"
REFUSAL = r"""["'](Can't|Invalid value|Configuration|Unknown|Error due|Null value).*"""

KNOWN = [
    Known(75, r"no answer", "Apache Kafka fails inside and never answers"),
    Known(49, r"Entries", "an entity that is wrong in two ways: which one is told is chance (a hash table's order)", "foo.*|''"),
    *(Known(key, rf"ErrorMessage: {REFUSAL}, {REFUSAL}", HASHED, r"\}, \{'Name'") for key in (33, 44)),
    Known(44, r"ErrorCode: (40, -1|-1, 40)$", HASHED, r"ConfigOperation.*\}, \{'Name'.*ConfigOperation"),
    Known(0, r"ErrorMessage: None, '", "corelog says why a batch is refused where Apache Kafka says nothing"),
    Known(32, r"Documentation: ", "what a setting means, in our own words"),
]


def reason(key, told, body):
    """Why this difference stands; None for one that nobody has explained."""
    for known in KNOWN:
        if known.key == key and re.search(known.pattern, told) and re.search(known.asked, repr(body)):
            return known.reason
    return None
