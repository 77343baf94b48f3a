"""The same random requests to Apache Kafka and to corelog, the answers compared field by field (scripts/differential.sh).

`generate` makes sequences of requests (`scripted` those of a protocol in its order); what one broker gave out (topic ids,
member ids, producer ids) stands in them by name, and `names` puts in each broker's own. `side` asks one broker, and takes
away afterwards what a sequence made. `normal` takes out of an answer what may differ. `differences` lists what differs on
purpose, each with its reason. `pairs` are the processes that ask side by side, each of a broker pair of its own.
`recorded` holds what Apache Kafka answered to the sequences of the short form, which asks corelog alone.
"""

PROPERTIES = {
    "group.initial.rebalance.delay.ms": 0,
    "offsets.topic.num.partitions": 3,
    "transaction.state.log.num.partitions": 3,
    "share.coordinator.state.topic.num.partitions": 3,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    # Two joins at once or one after the other: the same.
    "group.consumer.assignment.interval.ms": 0,
    "group.share.assignment.interval.ms": 0,
    "group.streams.assignment.interval.ms": 0,
    "group.streams.initial.rebalance.delay.ms": 0,
    # The records are of the past.
    "log.retention.ms": -1,
    # Apache Kafka's controller waits so long for more to write at once.
    "controller.quorum.append.linger.ms": 0,
}
