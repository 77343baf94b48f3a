"""Protocols in their order: transactions, members of consumer and share groups, the state of share groups. What goes wrong
in them goes wrong on purpose. Members leave at the end: the broker is tidied without waiting for their sessions."""

import uuid

from .batches import Produced
from .names import Name

PRODUCER, EPOCH = Name("producer", 0), Name("epoch", 0)
TRANSACTIONAL = 0x10


def transaction(s):
    """A transactional producer from its first id to the end of one or two transactions."""
    ids = [f"t{s.number}-a", f"t{s.number}-b"]
    id_, topic, group = s.pick(ids[0], ids[0], ids[0], ids[1]), s.topics[0], s.groups[1]
    _create(s, topic, 2)
    s.add(10, s.pick(1, 2), Key=id_, KeyType=1)
    timeout = 60_000 if not s.rarely(0.15) else s.pick(0, -1, 900_001)
    s.add(22, s.pick(0, 2, 3, 4, 5), TransactionalId=id_, TransactionTimeoutMs=timeout)
    sequence = 0
    for _ in range(s.pick(1, 1, 2)):
        who = _who(s, id_)
        _add_partitions(s, who, topic)
        for _ in range(s.pick(0, 1, 1, 2)):
            _produce(s, who, topic, sequence)
            sequence += 1
        if s.rarely(0.5):
            _commit_offsets(s, who, group, topic)
        _look(s, ids, topic)
        for _ in range(s.pick(1, 1, 1, 2)):
            s.add(26, s.pick(0, 3, 4, 4, 5), **_who(s, id_), Committed=s.pick(True, False))
        _look(s, ids, topic)
        if s.rarely(0.3):
            s.add(22, s.pick(2, 3, 4), TransactionalId=id_, TransactionTimeoutMs=60_000, **s.pick({}, dict(ProducerId=PRODUCER, ProducerEpoch=EPOCH)))
            sequence = 0
    s.add(26, 4, TransactionalId=id_, ProducerId=PRODUCER, ProducerEpoch=EPOCH, Committed=False)


def _create(s, topic, partitions):
    s.add(19, 5, Topics=[dict(Name=topic, NumPartitions=partitions, ReplicationFactor=1)], timeoutMs=5000)
    # Their ids.
    s.add(3, 12, Topics=[dict(Name=topic), dict(Name="absent")], AllowAutoTopicCreation=False)


def _who(s, id_):
    if s.rarely(0.12):
        return s.pick(
            dict(TransactionalId="nobody", ProducerId=PRODUCER, ProducerEpoch=EPOCH), dict(TransactionalId=id_, ProducerId=4_000_001, ProducerEpoch=EPOCH),
            dict(TransactionalId=id_, ProducerId=PRODUCER, ProducerEpoch=99), dict(TransactionalId=id_, ProducerId=PRODUCER, ProducerEpoch=-1),
        )  # fmt: skip
    return dict(TransactionalId=id_, ProducerId=PRODUCER, ProducerEpoch=EPOCH)


def _add_partitions(s, who, topic):
    topics = [dict(Name=s.pick(topic, topic, topic, "absent"), Partitions=s.pick([0], [0, 1], [7], []))]
    if s.rarely(0.3):
        each = dict(**who, VerifyOnly=s.rarely(0.4), Topics=topics)
        s.add(24, s.pick(4, 5), Transactions=[each] * s.pick(1, 1, 1, 0))
    else:
        s.add(24, s.pick(0, 2, 3), V3AndBelowTopics=topics, **{f"V3AndBelow{name}": value for name, value in who.items()})


def _produce(s, who, topic, sequence):
    sequence = s.pick(sequence, sequence, sequence, sequence + 3)
    records = [(b"k", b"v"), (None, b"w")][: s.pick(1, 1, 2)][:1]
    data = Produced(records, attributes=TRANSACTIONAL, producer_id=who["ProducerId"], producer_epoch=who["ProducerEpoch"], sequence=sequence)
    partitions = [dict(Index=s.pick(0, 0, 0, 1), Records=data)]
    id_ = s.pick(who["TransactionalId"], who["TransactionalId"], who["TransactionalId"], None)
    s.add(0, s.pick(9, 11, 12), TransactionalId=id_, Acks=-1, TimeoutMs=2000, TopicData=[dict(Name=topic, PartitionData=partitions)])


def _commit_offsets(s, who, group, topic):
    version = s.pick(0, 2, 3, 4, 5)
    if version < 5 or s.rarely(0.3):
        s.add(25, s.pick(0, 3, 4), **who, GroupId=s.pick(group, group, ""))
    partitions = [dict(PartitionIndex=s.pick(0, 1, 7), CommittedOffset=3, CommittedMetadata=s.pick("", "m", None))]
    s.add(28, version, **who, GroupId=group, GenerationId=s.pick(-1, -1, 1), MemberId=s.pick("", "", "nobody"), Topics=[dict(Name=s.pick(topic, topic, "absent"), Partitions=partitions)])
    s.add(9, s.pick(7, 7, 6), GroupId=group, Topics=[dict(Name=topic, PartitionIndexes=[0, 1])], RequireStable=s.rarely(0.2))


def _look(s, ids, topic):
    for what in s.random.sample(range(5), s.pick(0, 1, 2)):
        if what == 0:
            s.add(65, TransactionalIds=s.pick(ids[:1], ids, ["nobody"], [""]))
        elif what == 1:
            filters = dict(StateFilters=s.pick([], ["Ongoing"], ["Empty", "Nonsense"]), ProducerIdFilters=[PRODUCER], DurationFilter=s.pick(-1, -1, 1 << 40))
            s.add(66, **filters, **s.pick({}, {}, dict(TransactionalIdPattern=s.pick(f"t{s.number}-.*", "(", ""))))
        elif what == 2:
            s.add(61, Topics=[dict(Name=s.pick(topic, topic, "absent"), PartitionIndexes=s.pick([0], [0, 1], [7]))])
        elif what == 3:
            partition = dict(Partition=0, FetchOffset=s.pick(0, 0, 1), PartitionMaxBytes=1 << 20, CurrentLeaderEpoch=-1)
            s.add(1, 12, ReplicaId=-1, MaxWaitMs=0, MinBytes=0, MaxBytes=1 << 20, IsolationLevel=s.pick(0, 1), SessionEpoch=-1, Topics=[dict(Topic=topic, Partitions=[partition])])
        else:
            partition = dict(PartitionIndex=0, CurrentLeaderEpoch=-1, Timestamp=-1)
            s.add(2, s.pick(2, 5, 8), ReplicaId=-1, IsolationLevel=s.pick(0, 1), Topics=[dict(Name=topic, Partitions=[partition])])


def idempotent(s):
    """A producer without transactions: duplicates, gaps, old epochs."""
    topic = s.topics[0]
    _create(s, topic, 2)
    s.add(22, s.pick(1, 3, 4), TransactionalId=None, TransactionTimeoutMs=s.pick(60_000, 0, -1))
    for _ in range(s.pick(2, 3, 5)):
        data = Produced([(None, b"v")], producer_id=PRODUCER, producer_epoch=s.pick(EPOCH, EPOCH, EPOCH, 5), sequence=s.pick(0, 1, 1, 2, 3, 9))
        s.add(0, s.pick(7, 8, 11), Acks=s.pick(-1, 1), TimeoutMs=2000, TopicData=[dict(Name=topic, PartitionData=[dict(Index=0, Records=data)])])
    s.add(61, Topics=[dict(Name=topic, PartitionIndexes=[0])])
    marker = dict(ProducerId=PRODUCER, ProducerEpoch=s.pick(EPOCH, 9), TransactionResult=s.pick(True, False), Topics=[dict(Name=s.pick(topic, topic, "absent"), PartitionIndexes=[s.pick(0, 1, 7)])], CoordinatorEpoch=s.pick(0, 1))
    if s.rarely(0.4):
        s.add(27, s.pick(1, 2), Markers=[marker] * s.pick(1, 1, 0))
        s.add(61, Topics=[dict(Name=topic, PartitionIndexes=[0, 1])])


def consumer(s):
    """A member of a consumer group (KIP-848)."""
    group, topic = s.groups[1], s.topics[0]
    _create(s, topic, 2)
    s.add(10, 0, Key=group)
    version = s.pick(0, 1)
    member = Name("member", 0) if version == 0 else str(uuid.UUID(int=s.number + 1000))
    instance = s.pick(None, None, "still")
    join = dict(GroupId=group, MemberId="" if version == 0 else member, MemberEpoch=0, InstanceId=instance, RebalanceTimeoutMs=60_000, SubscribedTopicNames=s.pick([topic], [topic, "absent"]), TopicPartitions=[])
    if s.rarely(0.25):
        wrong = s.pick(
            dict(GroupId=""), dict(RebalanceTimeoutMs=-1), dict(SubscribedTopicNames=None), dict(ServerAssignor="nonsense"), dict(TopicPartitions=None),
            dict(MemberEpoch=3), dict(InstanceId=""), dict(RackId=""), dict(SubscribedTopicRegex="("), dict(MemberId="x" * 40), dict(MemberEpoch=-1), dict(MemberEpoch=-3),
        )  # fmt: skip
        s.add(68, version, **{**join, **wrong})
    s.add(68, version, **join, ServerAssignor=s.pick(None, "uniform", "range"))
    beat = dict(GroupId=group, MemberId=member, InstanceId=instance)
    for _ in range(s.pick(1, 2, 3, 4)):
        what = s.random.randrange(7)
        if what == 0:
            s.add(68, version, **beat, MemberEpoch=s.pick(1, 1, 0, 2, 99))
        elif what == 1:
            owned = [dict(TopicId=Name("topic", topic), Partitions=s.pick([0, 1], [0], []))]
            s.add(68, version, **beat, MemberEpoch=s.pick(1, 2), TopicPartitions=owned, SubscribedTopicNames=s.pick(None, None, [topic], [s.topics[1]], []))
        elif what == 2:
            partitions = [dict(PartitionIndex=s.pick(0, 0, 1, 7), CommittedOffset=4, CommittedMetadata="")]
            s.add(8, s.pick(7, 9), GroupId=group, GenerationIdOrMemberEpoch=s.pick(1, 1, 2, 0, -1), MemberId=s.pick(member, member, "nobody", ""), GroupInstanceId=s.pick(None, instance), Topics=[dict(Name=topic, Partitions=partitions)])
        elif what == 3:
            asked = dict(GroupId=group, MemberId=s.pick(member, None, "nobody"), MemberEpoch=s.pick(1, -1, 9), Topics=[dict(Name=topic, PartitionIndexes=[0, 1])])
            s.add(9, 9, Groups=[asked], RequireStable=s.rarely(0.3))
        elif what == 4:
            s.add(69, GroupIds=s.pick([group], [group, "nobody"], [""]), IncludeAuthorizedOperations=s.rarely(0.3))
        elif what == 5:
            s.add(s.pick(15, 16, 42, 77), **dict(Groups=[group], GroupsNames=[group], GroupIds=[group], StatesFilter=s.pick([], ["Stable"]), TypesFilter=s.pick([], ["consumer"])))
        else:
            s.add(47, GroupId=group, Topics=[dict(Name=s.pick(topic, s.topics[1]), Partitions=[dict(PartitionIndex=0)])])
    if instance and s.rarely(0.5):
        s.add(68, version, **beat, MemberEpoch=-2)
        s.add(68, version, **{**join, "MemberId": "" if version == 0 else str(uuid.UUID(int=s.number + 5000))})
        if version:
            beat["MemberId"] = str(uuid.UUID(int=s.number + 5000))
    s.add(68, version, **beat, MemberEpoch=-1)
    s.add(69, GroupIds=[group])


def share(s):
    """A member of a share group (KIP-932)."""
    group, topic, member = f"s{s.number}", s.topics[0], str(uuid.UUID(int=s.number + 9000))
    _create(s, topic, 1)
    join = dict(GroupId=group, MemberId=member, MemberEpoch=0, SubscribedTopicNames=[topic])
    if s.rarely(0.25):
        s.add(76, **{**join, **s.pick(dict(GroupId=""), dict(MemberId=""), dict(SubscribedTopicNames=None), dict(MemberEpoch=5), dict(RackId=""), dict(MemberEpoch=-1), dict(SubscribedTopicNames=[]))})
    s.add(76, **join)
    at = [dict(TopicId=Name("topic", s.pick(topic, topic, topic, "absent")), Partitions=[dict(PartitionIndex=s.pick(0, 0, 7))])]
    fetch = dict(GroupId=group, MemberId=member, MaxWaitMs=0, MinBytes=0, MaxRecords=10, BatchSize=10)
    for _ in range(s.pick(0, 1, 2)):
        what = s.random.randrange(4)
        if what == 0:  # a session that is not there, members that are none
            s.add(78, **{**fetch, **s.pick(dict(ShareSessionEpoch=5), dict(ShareSessionEpoch=-1), dict(GroupId=None), dict(GroupId=""), dict(MemberId=None), dict(MemberId="nobody"), dict(MaxRecords=-1))}, Topics=at)
        elif what == 1:
            s.add(79, GroupId=s.pick(group, "", None), MemberId=s.pick(member, None, "nobody"), ShareSessionEpoch=s.pick(0, 1, 5, -1), Topics=at)
        elif what == 2:
            s.add(77, GroupIds=s.pick([group, "nobody"], ["nobody"], [""]))
        else:
            s.add(91, GroupId=s.pick(group, f"n{s.number}", ""), Topics=[dict(TopicName=s.pick(topic, "absent"), Partitions=[dict(PartitionIndex=s.pick(0, 7), StartOffset=0)])])
    s.add(76, GroupId=group, MemberId=member, MemberEpoch=-1)
    s.add(77, GroupIds=[group])


def share_state(s):
    """What the brokers of a share group's partitions write down."""
    group, topic = f"w{s.number}", s.topics[0]
    _create(s, topic, 2)
    for _ in range(s.pick(2, 3, 5)):
        where = dict(Partition=s.pick(0, 0, 0, 1, 7, -1))
        epochs = dict(StateEpoch=s.pick(0, 0, 1, -1), LeaderEpoch=s.pick(0, 0, 1, -1))
        batches = [dict(FirstOffset=s.pick(0, 5), LastOffset=s.pick(4, 9), DeliveryState=s.pick(0, 2, 4), DeliveryCount=1)] * s.pick(0, 1)
        state = dict(StartOffset=s.pick(0, 0, 5, -1), StateBatches=batches, DeliveryCompleteCount=s.pick(-1, 0))
        key = s.pick(83, 83, 84, 85, 85, 86, 87)
        names = {83: {"Partition", "StateEpoch", "StartOffset"}, 84: {"Partition", "LeaderEpoch"}, 86: {"Partition"}, 87: {"Partition", "LeaderEpoch"}}.get(key)
        partition = {name: value for name, value in {**where, **epochs, **state}.items() if names is None or name in names}
        partitions = [partition] * s.pick(1, 1, 1, 1, 0)
        s.add(key, GroupId=s.pick(group, group, group, group, ""), Topics=[dict(TopicId=s.pick(Name("topic", topic), Name("topic", topic), Name("topic", topic), uuid.UUID(int=0)), Partitions=partitions)] * s.pick(1, 1, 1, 1, 0))
    s.add(90, Groups=[dict(GroupId=group, Topics=s.pick(None, [dict(TopicName=topic, Partitions=[0])]))])

