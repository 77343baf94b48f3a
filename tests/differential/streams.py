"""Members of a streams group (KIP-1071): topologies right and wrong, tasks given and given up, what describes them."""

import uuid

from .names import Name


def streams(s):
    topic, other = s.topics[:2]
    count = s.pick(1, 1, 2)
    # Two threads have another name: who of them gets what is chance (`differences`).
    group = f"{'k' * count}{s.number}"
    for name, partitions in s.pick([(topic, 2)], [(topic, 2), (other, 2)], [(topic, 1), (other, 3)], []):
        s.add(19, 7, Topics=[dict(Name=name, NumPartitions=partitions, ReplicationFactor=1)], timeoutMs=5000)
    if s.rarely(0.2):
        config = dict(Name=s.pick("streams.num.standby.replicas", "streams.session.timeout.ms", "streams.heartbeat.interval.ms"), ConfigOperation=0, Value=s.pick("1", "50000", "5000", "9"))
        s.add(44, Resources=[dict(ResourceType=32, ResourceName=group, Configs=[config])], ValidateOnly=False)
    members = [str(uuid.UUID(int=s.number + 30_000 + n)) for n in range(count)]
    topology = _topology(s, group, topic, other)
    for member in members:
        _join(s, group, member, topology)
    for _ in range(s.pick(2, 3, 4, 6)):
        _anything(s, group, s.pick(*members), topology, topic)
    for member in members:
        s.add(88, GroupId=group, MemberId=member, MemberEpoch=-1)
    s.add(89, GroupIds=[group])


def _join(s, group, member, topology):
    join = dict(
        GroupId=group, MemberId=member, MemberEpoch=0, EndpointInformationEpoch=0, RebalanceTimeoutMs=60_000, Topology=topology, ActiveTasks=[], StandbyTasks=[],
        WarmupTasks=[], ProcessId=s.pick("process", "process", member), ClientTags=s.pick([], [], [dict(Key="zone", Value="a")]),
        UserEndpoint=dict(Host="here", Port=9) if s.rarely(0.2) else None, RackId=s.pick(None, None, "r"),
    )  # fmt: skip
    if s.rarely(0.25):
        task = [dict(SubtopologyId="0", Partitions=[0])]
        wrong = s.pick(
            dict(GroupId=""), dict(MemberId=""), dict(RebalanceTimeoutMs=-1), dict(Topology=None), dict(ProcessId=None), dict(ProcessId=""), dict(ActiveTasks=None), dict(StandbyTasks=None),
            dict(WarmupTasks=None), dict(ActiveTasks=task), dict(MemberEpoch=5), dict(MemberEpoch=-1), dict(MemberEpoch=-3), dict(InstanceId=""), dict(InstanceId="still"), dict(RackId=""),
            dict(ClientTags=None), dict(WarmupTasks=task), dict(Topology=dict(Epoch=-1, Subtopologies=[])), dict(Topology=dict(Epoch=0, Subtopologies=[])), dict(GroupId="x" * 300),
            dict(UserEndpoint=dict(Host="", Port=0)), dict(MemberId="x" * 300), dict(TaskOffsets=[dict(SubtopologyId="0", Partition=0, Offset=5)]),
        )  # fmt: skip
        s.add(88, **{**join, **wrong})
    s.add(88, **join)


def _topology(s, group, topic, other):
    """One or two subtopologies, with and without topics of their own."""
    settings = s.pick([], [], [dict(Key="cleanup.policy", Value="compact")], [dict(Key="nonsense", Value="x")])
    internal = lambda name, partitions=0: dict(Name=f"{group}-{name}", Partitions=partitions, ReplicationFactor=s.pick(0, 1, 1, 3), TopicConfigs=settings)  # noqa: E731
    first = dict(SubtopologyId="0", SourceTopics=s.pick([topic], [topic], [topic, other], ["absent"]), SourceTopicRegex=[], StateChangelogTopics=[], RepartitionSinkTopics=[], RepartitionSourceTopics=[], CopartitionGroups=[])
    if s.rarely(0.4):
        first["StateChangelogTopics"] = [internal("store-changelog", s.pick(0, 0, 0, 1))]
    if len(first["SourceTopics"]) == 2 and s.rarely(0.6):
        first["CopartitionGroups"] = [dict(SourceTopics=[0, 1], SourceTopicRegex=[], RepartitionSourceTopics=[])]
    if s.rarely(0.08):
        first["SourceTopicRegex"] = ["a.*"]
    subtopologies = [first]
    if s.rarely(0.4):
        between = internal("between-repartition", s.pick(0, 0, 1, 3))
        first["RepartitionSinkTopics"] = [between["Name"]]
        second = dict(SubtopologyId="1", SourceTopics=s.pick([], [], [other]), SourceTopicRegex=[], StateChangelogTopics=[], RepartitionSinkTopics=[], RepartitionSourceTopics=[between], CopartitionGroups=[])
        if s.rarely(0.3):
            second["RepartitionSinkTopics"] = s.pick([between["Name"]], ["of nobody"])
        subtopologies.append(second)
    return dict(Epoch=s.pick(0, 0, 0, 1), Subtopologies=subtopologies)


def _anything(s, group, member, topology, topic):
    beat = dict(GroupId=group, MemberId=member, MemberEpoch=Name("member epoch", member), EndpointInformationEpoch=s.pick(0, 0, 1, -1))
    what = s.random.randrange(10)
    if what < 2:
        s.add(88, **beat)
    elif what == 2:
        s.add(88, **{**beat, **s.pick(dict(MemberEpoch=0), dict(MemberEpoch=99), dict(MemberId="nobody"), dict(MemberEpoch=1), dict(InstanceId="still"), dict(ShutdownApplication=True))})
    elif what == 3:
        owned = s.pick([dict(SubtopologyId="0", Partitions=[0, 1])], [dict(SubtopologyId="0", Partitions=[0])], [], [dict(SubtopologyId="7", Partitions=[0])], [dict(SubtopologyId="0", Partitions=[-1, 9])])
        s.add(88, **beat, ActiveTasks=owned, StandbyTasks=[], WarmupTasks=[])
    elif what == 4:
        changed = {**topology, "Epoch": topology["Epoch"] + s.pick(0, 1, -1)}
        s.add(88, **beat, Topology=s.pick(changed, {**changed, "Subtopologies": changed["Subtopologies"][:1]}))
    elif what == 5:
        s.add(88, **beat, ProcessId=s.pick("process", "another"), ClientTags=[dict(Key="zone", Value="b")], UserEndpoint=s.pick(None, dict(Host="there", Port=10)))
    elif what == 6:
        s.add(89, GroupIds=s.pick([group], [group, "nobody"], [""], [group, group]), IncludeAuthorizedOperations=s.rarely(0.3))
    elif what == 7:
        partitions = [dict(PartitionIndex=s.pick(0, 0, 1, 7), CommittedOffset=4, CommittedMetadata="")]
        asked = dict(GenerationIdOrMemberEpoch=s.pick(Name("member epoch", member), 0, -1, 99), MemberId=s.pick(member, member, "nobody", ""))
        s.add(8, s.pick(7, 9), GroupId=group, **asked, Topics=[dict(Name=topic, Partitions=partitions)])
    elif what == 8:
        s.add(s.pick(15, 16, 42, 69, 77), **dict(Groups=[group], GroupsNames=[group], GroupIds=[group], StatesFilter=s.pick([], ["Stable"], ["NotReady"]), TypesFilter=s.pick([], ["streams"])))
    else:
        what = s.pick(19, 37, 47, 9)
        if what == 19:
            s.add(19, 7, Topics=[dict(Name=s.pick(*s.topics), NumPartitions=2, ReplicationFactor=1)], timeoutMs=5000)
        elif what == 37:
            s.add(37, 2, Topics=[dict(Name=topic, Count=3)], TimeoutMs=5000)
        elif what == 47:
            s.add(47, GroupId=group, Topics=[dict(Name=topic, Partitions=[dict(PartitionIndex=0)])])
        else:
            asked = dict(GroupId=group, MemberId=s.pick(member, None), MemberEpoch=s.pick(Name("member epoch", member), -1), Topics=[dict(Name=topic, PartitionIndexes=[0, 1])])
            s.add(9, 9, Groups=[asked])
