"""Members of a consumer group whose subscription is a pattern (SubscribedTopicRegex of KIP-848), alone or beside names."""

import uuid

from .names import Name


def patterns(s):
    topics, count = s.topics[:2], s.pick(1, 1, 2)
    # Two members have another name: who of them gets what is chance (`differences`).
    group = f"{'p' * count}{s.number}"
    for topic in topics[: s.pick(1, 2)]:
        _create(s, topic, s.pick(1, 2))
    # Their ids.
    s.add(3, 12, Topics=[dict(Name=name) for name in ("__consumer_offsets", *s.topics)], AllowAutoTopicCreation=False)
    members = [str(uuid.UUID(int=s.number + 20_000 + n)) for n in range(count)]
    for member in members:
        named = s.pick([], [], [], topics[:1], ["absent"], None)
        join = dict(GroupId=group, MemberId=member, MemberEpoch=0, RebalanceTimeoutMs=60_000, TopicPartitions=[], SubscribedTopicNames=named)
        s.add(68, 1, **join, SubscribedTopicRegex=_pattern(s), ServerAssignor=s.pick(None, "uniform", "range"))
    for _ in range(s.pick(2, 3, 5)):
        member = s.pick(*members)
        beat = dict(GroupId=group, MemberId=member, MemberEpoch=Name("member epoch", member))
        what = s.random.randrange(6)
        if what < 2:
            s.add(68, 1, **beat)
        elif what == 2:
            owned = [dict(TopicId=Name("topic", topics[0]), Partitions=s.pick([0], [0, 1], []))]
            s.add(68, 1, **beat, TopicPartitions=owned, SubscribedTopicRegex=s.pick(None, _pattern(s)), SubscribedTopicNames=s.pick(None, [], topics[1:]))
        elif what == 3:
            s.add(69, GroupIds=[group])
        elif what == 4:
            _create(s, s.pick(*s.topics), 1)
        else:
            s.add(20, 5, TopicNames=[s.pick(*topics)], TimeoutMs=5000)
    for member in members:
        s.add(68, 1, GroupId=group, MemberId=member, MemberEpoch=-1)
    s.add(69, GroupIds=[group])


def _pattern(s):
    mine = f"d{s.number}"
    return s.pick(f"{mine}.*", f"{mine}.*", f"{mine}-a", f"{mine}-[ab]", f"{mine}[._]c", "absent.*", "", "(", f"{mine}-a|__consumer.*", f"^{mine}-a$", f"(?i){mine}-A", f"{mine}(?=-a).*", "\\p{Foo}")


def _create(s, topic, partitions):
    s.add(19, 7, Topics=[dict(Name=topic, NumPartitions=partitions, ReplicationFactor=1)], timeoutMs=5000)
