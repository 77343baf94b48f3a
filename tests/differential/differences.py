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
    #: the rest of the sequence stands on what only one broker has: it is not compared
    ends: bool = False
    #: only in sequences that have asked this key before
    after: int | None = None


HASHED = "a resource that is wrong in two ways: which one is told is chance (a hash table's order)"
UNHEARD = "Apache Kafka's coordinator has not heard of the topic yet"
WHOSE = "which of two members gets what is chance (a hash table's order, ids of topics), and when a pattern is looked up between their joins"
DELETED, DELETE_RECORDS = "Apache Kafka's share partition learns with a later fetch that its records were deleted", 21
MADE_LATER, METADATA = "when a topic that Metadata asked for is there is chance, on either broker", 3
REFUSAL = r"""["'](Can't|Invalid value|Configuration|Unknown|Error due|Null value).*"""

KNOWN = [
    Known(75, r"no answer", "Apache Kafka fails inside and never answers"),
    Known(49, r"Entries", "an entity that is wrong in two ways: which one is told is chance (a hash table's order)", "foo.*|''"),
    *(Known(key, rf"ErrorMessage: {REFUSAL}, {REFUSAL}", HASHED, r"\}, \{'Name'") for key in (33, 44)),
    Known(44, r"ErrorCode: (40, -1|-1, 40)$", HASHED, r"ConfigOperation.*\}, \{'Name'.*ConfigOperation"),
    Known(9, r"ErrorCode: -1, 25", "Apache Kafka fails inside over a member epoch of no member", "'MemberId': None"),
    *(Known(key, r"ErrorMessage: ['\"].*, ['\"]", "a reason in our own words") for key in (66, 68, 76, 77, 78, 79, 88, 90, 91, 92)),
    *(
        Known(key, r"ErrorMessage: ['\"].*, None$", "a code's general words, which every client has itself")
        for key in (61, 76, 77, 78, 79, 83, 84, 85, 86, 87, 90, 91, 92)
    ),
    Known(78, r"ErrorCode: -1, ", "Apache Kafka fails inside over what no share consumer sends", ends=True),
    Known(78, r"Responses\[\] 0, 1", "a partition that Apache Kafka has not loaded yet is left out"),
    Known(76, r"ErrorMessage: None, ['\"]", "corelog says why where Apache Kafka says nothing"),
    Known(90, r"Lag: -\d+, 0", "nobody lags less than nothing"),
    Known(75, r"ErrorCode: -1, (17|0)", "Apache Kafka fails inside over a topic without a name", "'Name': ''"),
    Known(19, r"ErrorMessage: 'Unknown topic config name: .*'Unknown topic config name", HASHED),
    Known(24, r"no answer", "Apache Kafka never answers a request of no transactions", r"'Transactions': \[\]"),
    Known(0, r"ErrorMessage: None, ['\"]", "corelog says why a batch is refused where Apache Kafka says nothing"),
    Known(0, r"LogStartOffset: -1, 0", "whether the transaction is verified before its batch is looked at", "TransactionalId"),
    Known(47, r"Topics\[\] 1, 2", "a topic that is asked twice is answered twice"),
    Known(68, r"Assignment.TopicPartitions\[\] 0, 1", UNHEARD, ends=True),
    *(Known(key, r"TopicId: '[0-9a-f-]{36}', '[0-9a-f-]{36}'$", "the id of a topic that nobody has asked for by its name") for key in (68, 69, 76, 77)),
    Known(43, r"ReplicaElectionResults\[\] 0, \d+: without \[\]", "Apache Kafka's controller failed inside over a config operation that does not exist, and is being elected", "None", after=44),
    *(Known(key, r"ErrorCode: 3, 0", UNHEARD, ends=True) for key in (83, 84, 85, 86, 87)),
    Known(90, r"TopicId: '00000000", UNHEARD),
    Known(32, r"ErrorCode: 3, 0", MADE_LATER, after=METADATA),
    Known(0, r"ErrorCode: (3, \d+|\d+, 3)$", MADE_LATER, after=METADATA, ends=True),
    Known(35, r"Topics\[\] 1, 0: without \[{'Name': 'd\d", MADE_LATER, after=METADATA),
    Known(76, r"Assignment.TopicPartitions\[\].Partitions\[\](: \d, \d| 1, 2| 2, 1)", "which of its partitions a member gives up, and who has one more, is chance (a hash table's order)", "'r", ends=True),
    Known(79, r"ErrorCode: 121, 0", DELETED, "'r", ends=True, after=DELETE_RECORDS),
    Known(78, r"Records: '', \[", DELETED, "'r", ends=True, after=DELETE_RECORDS),
    Known(76, r"MemberEpoch: 2, 3|Assignment.TopicPartitions\[\] 0, 1", "Apache Kafka has not made the state of the group's partition yet", "'r", ends=True),
    *(Known(key, r"\[\] \d+, \d+: without \[\], with \[\{'(Resource)?Name': 'd\d", "a topic that Metadata asked for comes later in Apache Kafka") for key in (35, 74)),
    Known(16, r"Groups\[\] \d, \d: without \[{'GroupId': 'n\d+', 'ProtocolType': 'share'}\], with \[\]", "a group that Apache Kafka made up for a refused AlterShareGroupOffsets is listed by chance"),
    Known(88, r"Status\[\].StatusCode: 1, |Status\[\] 1, 0: without \[{'StatusCode': [13]", UNHEARD, ends=True),
    Known(88, r"Status\[\] 0, 1: without \[\], with \[{'StatusCode': 3", "whether the topics are made yet is chance, on either broker", ends=True),
    Known(88, r"ErrorCode: -1, 0", "Apache Kafka fails inside over a member with an endpoint while the topics do not fit", "'UserEndpoint': {|'EndpointInformationEpoch'", ends=True),
    Known(88, r"ErrorCode: -1, 130", "Apache Kafka fails inside over a topology of no parts", r"'Subtopologies': \[\]", ends=True),
    Known(88, r"^(Active|Standby|Warmup)Tasks: None, \[", "corelog tells a member that says it has less than it has once more what it has", "'ActiveTasks': ", ends=True),
    Known(89, r"RepartitionSourceTopics\[\].Partitions: \d, \d", "how many partitions a topic was given is told from a heartbeat on, which need not be the same one"),
    Known(88, r"(Active|Standby)(Tasks|Partitions)|EndpointInformationEpoch", WHOSE, "'kk", ends=True),
    Known(89, r"(Active|Standby)Tasks|MemberEpoch|GroupState", WHOSE, "'kk", ends=True),
    Known(68, r"Assignment|MemberEpoch", WHOSE, "'pp", ends=True),
    Known(69, r"Assignment|Epoch|GroupState", WHOSE, "'pp", ends=True),
    Known(69, r"GroupEpoch: \d, \d$", "when a pattern is looked up is chance", r"'p\d", ends=True),
    Known(79, r"ErrorCode: -1, 0", "Apache Kafka fails inside over a range of which the member has a part", ends=True),
    Known(16, r"'GroupState': 'NotReady'", "Apache Kafka finds no group by this state", "'NotReady'"),
    Known(90, r"StartOffset: -?\d+, ", "what a member leaves behind, and how far the start has moved, is written some time after the answer, on either broker", "'r"),
    Known(78, r"Responses\[\] [01], [01]|Records", "whether a fetch finds what its own request releases is chance", r"'AcknowledgeTypes': \[[^]]*2", ends=True),
    Known(1, r"ErrorCode: 75, 0", "Apache Kafka's broker has not heard of its new partition yet"),
    Known(32, r"Documentation: ", "what a setting means, in our own words"),
]


def reason(key, told, body, before=()):
    """The `Known` that this difference is, in a sequence that asked the keys `before` it; None for one that nobody has explained."""
    for known in KNOWN:
        fits = known.key == key and (known.after is None or known.after in before)
        if fits and re.search(known.pattern, told) and re.search(known.asked, repr(body)):
            return known
    return None
