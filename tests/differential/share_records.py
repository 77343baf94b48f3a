"""Members of a share group (KIP-932) that get records and acknowledge them, in order and out of it."""

import uuid

from .batches import batch
from .names import Name

#: How a group's name begins whose members are given time to get their partitions.
PREFIX = "r"
ACCEPT, RELEASE, REJECT, RENEW, GAP = 1, 2, 3, 4, 0


class Sessions:
    """What the members' next session epochs are, as long as nothing went wrong."""

    def __init__(self):
        self.epochs = {}

    def next(self, s, member):
        epoch = self.epochs.get(member, 0)
        if s.rarely(0.06):
            return s.pick(epoch + 1, 0, -1, 99)
        self.epochs[member] = epoch + 1
        return epoch


def share_records(s):
    group, topic = f"{PREFIX}{s.number}", s.topics[0]
    members = [str(uuid.UUID(int=s.number + 40_000 + n)) for n in range(s.pick(1, 1, 1, 2))]
    s.add(19, 7, Topics=[dict(Name=topic, NumPartitions=1, ReplicationFactor=1)], timeoutMs=5000)
    s.add(3, 12, Topics=[dict(Name=topic)], AllowAutoTopicCreation=False)  # its id, where it was there before
    settings = [dict(Name="share.auto.offset.reset", ConfigOperation=0, Value=s.pick("earliest", "earliest", "earliest", "latest", "by_duration:P5000D"))]
    if s.rarely(0.2):
        settings.append(dict(Name="share.isolation.level", ConfigOperation=0, Value="read_committed"))
    s.add(44, Resources=[dict(ResourceType=32, ResourceName=group, Configs=settings)], ValidateOnly=False)
    end, sessions = 0, Sessions()
    for _ in range(s.pick(0, 1, 2)):
        end += _produce(s, topic)
    for member in members:
        s.add(76, GroupId=group, MemberId=member, MemberEpoch=0, SubscribedTopicNames=[topic])
        s.add(76, GroupId=group, MemberId=member, MemberEpoch=Name("member epoch", member))
    end += _produce(s, topic)
    for member in members:
        _fetch(s, group, member, topic, sessions, end, first=True)
    for _ in range(s.pick(2, 4, 6)):
        what, member = s.random.randrange(10), s.pick(*members)
        if what < 3:
            _acknowledge(s, group, member, topic, sessions, end)
        elif what < 6:
            _fetch(s, group, member, topic, sessions, end)
        elif what == 6:
            end += _produce(s, topic)
        elif what == 7:
            _look(s, group, topic)
        elif what == 8:
            s.add(21, 2, Topics=[dict(Name=topic, Partitions=[dict(PartitionIndex=0, Offset=s.pick(1, 2, -1))])], TimeoutMs=5000)
        else:
            s.add(76, GroupId=group, MemberId=member, MemberEpoch=s.pick(Name("member epoch", member), 0), SubscribedTopicNames=s.pick(None, [topic]))
    for member in members:
        if s.rarely(0.7):
            s.add(79, GroupId=group, MemberId=member, ShareSessionEpoch=-1, Topics=[])
        s.add(76, GroupId=group, MemberId=member, MemberEpoch=-1)
    _look(s, group, topic)


def _produce(s, topic):
    count = s.pick(1, 2, 3, 5)
    records = [(b"k", b"v%d" % n) for n in range(count)]
    s.add(0, 9, Acks=-1, TimeoutMs=2000, TopicData=[dict(Name=topic, PartitionData=[dict(Index=0, Records=batch(records))])])
    return count


def _fetch(s, group, member, topic, sessions, end, first=False):
    acknowledged = [] if first or s.rarely(0.5) else _batches(s, end)
    # One that does not exist stays in the session: whether others are waited for is another matter then.
    partition = dict(PartitionIndex=0, AcknowledgementBatches=acknowledged)
    topics = [dict(TopicId=Name("topic", topic), Partitions=[partition])] if first or acknowledged or s.rarely(0.3) else []
    limits = dict(MaxWaitMs=s.pick(200, 200, 0) if not first else 1000, MinBytes=1, MaxBytes=1 << 20, MaxRecords=s.pick(1, 2, 10, 100), BatchSize=s.pick(1, 2, 10, 100))
    forgotten = [dict(TopicId=Name("topic", topic), Partitions=[0])] if not first and s.rarely(0.1) else []
    s.add(78, GroupId=group, MemberId=member, ShareSessionEpoch=sessions.next(s, member), **limits, ShareAcquireMode=s.pick(0, 0, 1), IsRenewAck=s.rarely(0.05), Topics=topics, ForgottenTopicsData=forgotten)


def _acknowledge(s, group, member, topic, sessions, end):
    partition = dict(PartitionIndex=s.pick(*[0] * 12, 7), AcknowledgementBatches=_batches(s, end))
    renews = any(RENEW in each["AcknowledgeTypes"] for each in partition["AcknowledgementBatches"])
    topics = [dict(TopicId=s.pick(*[Name("topic", topic)] * 9, uuid.UUID(int=99)), Partitions=[partition])]
    s.add(79, 2 if renews else None, GroupId=group, MemberId=member, ShareSessionEpoch=sessions.next(s, member), IsRenewAck=renews != s.rarely(0.05), Topics=topics)


def _batches(s, end):
    """Ranges of what may have been got, each with one word for all or one for each."""
    found, at = [], s.pick(0, 0, 0, 1, 2)
    for _ in range(s.pick(1, 1, 1, 2)):
        last = min(at + s.pick(0, 0, 1, 2, 4), max(end - 1, at))
        words = s.pick(*[[ACCEPT]] * 3, [RELEASE], [RELEASE], [REJECT], [GAP], [RENEW], [s.pick(ACCEPT, RELEASE, REJECT) for _ in range(last - at + 1)])
        if s.rarely(0.05):
            last, words = s.pick((at - 1, [ACCEPT]), (last, [9]), (last, []), (last + 100, [ACCEPT]), (last, [ACCEPT] * 9), (last, [-1]))
        found.append(dict(FirstOffset=at, LastOffset=last, AcknowledgeTypes=words))
        at = last + 1
    return found


def _look(s, group, topic):
    what = s.random.randrange(4)
    if what == 0:
        s.add(90, Groups=[dict(GroupId=group, Topics=s.pick(None, [dict(TopicName=topic, Partitions=[0])]))])
    elif what == 1:
        s.add(77, GroupIds=[group])
    elif what == 2:
        s.add(91, GroupId=group, Topics=[dict(TopicName=topic, Partitions=[dict(PartitionIndex=0, StartOffset=s.pick(0, 1, 3))])])
    else:
        s.add(92, GroupId=group, Topics=[dict(TopicName=topic)])
