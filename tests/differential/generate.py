"""Random sequences of requests: every key in every version both brokers know, valid ones and slightly wrong ones."""

import uuid

from harness.wire import FIXED, messages

from .batches import batch
from .names import Name
from .patterns import patterns
from .scripted import consumer, idempotent, share, share_state, transaction
from .share_records import share_records
from .streams import streams

#: Requests that wait for others, or whose answer is no message: the groups' and the transactions' own tests have them.
#: 1 Fetch of a session is asked by hand below; 78 and 79 hold records for as long as a member lives.
SCRIPTED = {0, 1, 11, 14, 18}
#: Keys of brokers, and of what the sequences must not stop or reconfigure for all: 34 moves, 64 forgets, 80/81 voters.
READING = {2, 3, 21, 23, 75}
INTEGERS = {
    "int8": [0, 1, 2, 3, 4, -1, 9],
    "int16": [0, 1, -1, 2],
    "uint16": [0, 9092],
    "int32": [0, 1, 2, -1, 7],
    "uint32": [0, 1],
    "int64": [0, 1, -1, 5, 1000],
    "float64": [1.0, 0.0, 1.5, 2048.0],
}


SCRIPTS = (transaction, transaction, idempotent, consumer, consumer, patterns, share, share_records, share_records, share_state, streams, streams)


class Sequence:
    """The requests of one sequence: `(key, version, body)` with `Name`s in the body."""

    def __init__(self, random, number, versions, scripts=SCRIPTS):
        self.random, self.number, self.versions, self.scripts = random, number, versions, scripts
        self.topics = [f"d{number}-a", f"d{number}-b", f"d{number}.c", f"d{number}_c"]
        self.groups = [f"g{number}-a", f"g{number}-b"]
        self.users = [f"u{number}", f"v{number}"]
        self.requests = []

    def pick(self, *choices):
        return self.random.choice(choices)

    def rarely(self, chance=0.1):
        return self.random.random() < chance

    def topic(self, key=None):
        if self.rarely(0.12):
            # What changes topics leaves the internal ones alone: all sequences stand on them.
            internal = ["__consumer_offsets"] if key in READING else []
            return self.pick("", ".", "no topic", "x" * 250, "absent", "é", *internal)
        return self.random.choice(self.topics)

    def version(self, key):
        low, high = self.versions[key]
        return self.random.randint(low, high)

    def add(self, key, version=None, **body):
        if key in self.versions:
            version = self.version(key) if version is None else min(max(version, self.versions[key][0]), self.versions[key][1])
            self.requests.append((key, version, body))

    # ------------------------------------------------------------ by the schema

    def body(self, key, version):
        message = messages()["request", key]
        return {f.name: self.field(message, key, f, version) for f in message.fields if version in f.versions}

    def field(self, message, key, field, version):
        if field.tag is not None and self.rarely(0.6):
            return field.absent(message)
        if version in field.null and self.rarely(0.2):
            return None
        if field.array:
            count = self.pick(0, 1, 1, 1, 2) if field.is_struct else self.pick(0, 1, 1, 2, 3)
            return [self.value(message, key, field, version) for _ in range(count)]
        return self.value(message, key, field, version)

    def value(self, message, key, field, version):
        if field.is_struct:
            inner = [f for f in message.children(field) if version in f.versions]
            return {f.name: self.field(message, key, f, version) for f in inner}
        chosen = self.known(key, field, version)
        if chosen is not None:
            return chosen
        if field.type == "string":
            return self.pick("", "a", "retention.ms", *self.topics[:2])
        if field.type in ("bytes", "records"):
            return self.pick(b"", b"\0", b"secret", b"p" * 32)
        if field.type == "uuid":
            return self.pick(Name("topic", self.random.choice(self.topics)), uuid.UUID(int=0), uuid.UUID(int=99))
        return self.pick(True, False) if field.type == "bool" else self.random.choice(INTEGERS[field.type])

    def known(self, key, field, version):
        """Values that mean something."""
        name = field.name.lower()
        if name in ("name", "topic", "topicname", "topicnames") and key not in (49, 50, 51, 32, 33, 44, 80):
            return self.topic(key)
        if name in ("groupid", "groups", "groupsnames", "groupids", "key", "coordinatorkeys") and key not in (49,):
            return self.pick(*self.groups, *self.groups, "")
        if "partition" in name and field.type == "int32":
            return self.pick(0, 0, 0, 1, 2, 7, -1)
        if name in ("numpartitions", "count"):
            return self.pick(1, 1, 2, 3, 0, -1, -5)
        if name == "replicationfactor":
            return self.pick(1, 1, 1, -1, 2, 0)
        if name in ("brokerids", "replicas", "brokerid", "voterid", "replicaid"):
            return self.pick(1, 1, 1, 2, -1) if name != "replicaid" else -1
        if name in ("timeoutms", "maxwaitms"):
            return self.pick(1000, 2000)
        if name in ("memberid", "generationid", "memberepoch", "generationidormemberepoch"):
            return "nobody" if field.type == "string" else self.pick(-1, 0, 1)
        if name in ("currentleaderepoch", "leaderepoch", "committedleaderepoch"):
            return self.pick(-1, 0, 0, 1, 5)
        if name == "timestamp":
            return self.pick(-1, -2, -3, -4, -5, 0, 1_700_000_000_001, 1 << 60)
        if name in ("groupinstanceid", "instanceid", "rackid", "rack"):
            return self.pick(None, "x") if version in field.null else "x"
        return None

    def random_request(self, key):
        version = self.version(key)
        try:
            self.requests.append((key, version, self.body(key, version)))
        except KeyError as error:
            raise AssertionError(f"no value for {key} v{version}: {error}") from error

    # ------------------------------------------------------------ by hand

    def create(self):
        configs = [dict(Name=self.pick("retention.ms", "cleanup.policy", "max.message.bytes", "nonsense"), Value=self.pick("1000", "delete", "x", "5000000", None))]
        topics = [
            dict(Name=self.topic(), NumPartitions=self.pick(1, 2, 3, -1, 0), ReplicationFactor=self.pick(1, 1, 1, -1, 2, 0), Configs=configs if self.rarely(0.4) else [])
            for _ in range(self.pick(1, 1, 2))
        ]
        for topic in topics:
            if self.rarely(0.15):
                topic["Assignments"] = [dict(PartitionIndex=i, BrokerIds=self.pick([1], [1], [2], [1, 1], [])) for i in self.pick([0], [0, 1], [1], [0, 0])]
                if self.rarely(0.8):
                    topic.update(NumPartitions=-1, ReplicationFactor=-1)
        self.add(19, Topics=topics, timeoutMs=5000, **({"validateOnly": True} if self.rarely() else {}))

    def produce(self):
        records = [(self.pick(None, b"k"), self.pick(None, b"v", b"value")) for _ in range(self.pick(1, 1, 3))]
        data = batch(records)
        if self.rarely(0.15):
            data = self.pick(b"", data[:-1], data[:20] + b"\xff" + data[21:], data + data, batch(records, attributes=0x20), batch(records, count=9))
        version = self.version(0)
        topic = self.topic()
        named = {"TopicId": Name("topic", topic)} if version >= 13 else {"Name": topic}
        self.add(
            0, version, Acks=self.pick(-1, -1, 1, 2, 5), TimeoutMs=2000,
            TopicData=[{**named, "PartitionData": [dict(Index=self.pick(0, 0, 0, 1, 7), Records=data)]}],
        )

    def fetch(self):
        version = self.version(1)
        topic = self.topic()
        named = {"TopicId": Name("topic", topic)} if version >= 13 else {"Topic": topic}
        partition = dict(Partition=self.pick(0, 0, 0, 1, 7), FetchOffset=self.pick(0, 0, 1, 99, -1), PartitionMaxBytes=self.pick(1, 1 << 20), CurrentLeaderEpoch=self.pick(-1, -1, 0, 9))
        body = dict(MaxWaitMs=0, MinBytes=self.pick(0, 1), MaxBytes=1 << 20, Topics=[{**named, "Partitions": [partition]}])
        body["IsolationLevel"] = self.pick(0, 1)
        if version >= 7:
            body.update(SessionId=self.pick(0, 0, 0, 12345), SessionEpoch=self.pick(-1, -1, 3))
        if version < 15:
            body["ReplicaId"] = -1
        self.add(1, version, **body)

    def group(self):
        """A member from its first join to its end."""
        group = self.groups[0]
        protocols = [dict(Name="p", Metadata=b"m")]
        join = dict(GroupId=group, SessionTimeoutMs=10_000, RebalanceTimeoutMs=10_000, ProtocolType="custom", Protocols=protocols)
        self.add(10, 0, Key=group)
        self.add(11, 5, **join, MemberId="")
        self.add(11, 5, **join, MemberId=Name("member", 0))
        self.add(14, self.pick(0, 3, 5), GroupId=group, GenerationId=1, MemberId=Name("member", 0), ProtocolType="custom", ProtocolName="p", Assignments=[dict(MemberId=Name("member", 0), Assignment=b"all")])
        self.requests[-1] = self.trimmed(*self.requests[-1])
        for _ in range(self.pick(1, 2, 3)):
            key = self.pick(12, 8, 9, 15, 16, 42, 47, 12)
            self.member(key, group)
        self.add(13, 0, GroupId=group, MemberId=Name("member", 0))
        self.random_request(self.pick(15, 42, 9))

    def trimmed(self, key, version, body):
        present = {f.name for f in messages()["request", key].fields if version in f.versions}
        return key, version, {name: value for name, value in body.items() if name in present}

    def member(self, key, group):
        generation, member = self.pick(1, 1, 1, 0, 9), self.pick(Name("member", 0), Name("member", 0), "other")
        partitions = [dict(PartitionIndex=self.pick(0, 0, 7), CommittedOffset=self.pick(1, 5), CommittedMetadata=self.pick("", "m", "x" * 5000, None))]
        if key == 12:
            self.add(12, GroupId=group, GenerationId=generation, MemberId=member)
        elif key == 8:
            self.add(8, self.pick(2, 5, 7), GroupId=group, GenerationIdOrMemberEpoch=generation, MemberId=member, Topics=[dict(Name=self.topic(), Partitions=partitions)])
        elif key == 9:
            self.add(9, self.pick(1, 4), GroupId=group, Topics=[dict(Name=self.random.choice(self.topics), PartitionIndexes=[0, 1])])
        elif key == 47:
            self.add(47, GroupId=group, Topics=[dict(Name=self.topic(), Partitions=[dict(PartitionIndex=self.pick(0, 0, 7))])])
        else:
            self.random_request(key)

    def quotas(self):
        # A default would hold for this connection: Apache Kafka would throttle it.
        validate_only = self.rarely(0.3)
        default = [None] if validate_only else []

        def entity():
            kinds = [self.pick("user", "user", "client-id", "ip", "foo") for _ in range(self.pick(1, 1, 2, 0))]
            return [dict(EntityType=kind, EntityName=self.pick(*self.users, "", "10.0.0.1", *default)) for kind in kinds]

        ops = [dict(Key=self.pick("producer_byte_rate", "consumer_byte_rate", "request_percentage", "connection_creation_rate", "bogus"), Value=self.pick(1.0, 1000.0, 1.5, 0.0, -1.0, 1e300), Remove=self.rarely(0.2))]
        self.add(49, Entries=[dict(Entity=entity(), Ops=ops) for _ in range(self.pick(1, 1, 2))], ValidateOnly=validate_only)
        components = [dict(EntityType=self.pick("user", "client-id", "ip", "", "foo"), MatchType=self.pick(0, 0, 1, 2, 9), Match=self.pick(*self.users, None)) for _ in range(self.pick(0, 1, 1, 2))]
        self.add(48, Components=components, Strict=self.rarely(0.5))

    def scram(self):
        users = lambda: self.pick(*self.users, *self.users, "")  # noqa: E731
        upsert = lambda: dict(Name=users(), Mechanism=self.pick(1, 2, 0, 3), Iterations=self.pick(4096, 8192, 4095, 16385), Salt=b"salt", SaltedPassword=self.pick(b"p" * 32, b"q" * 64, b""))  # noqa: E731
        self.add(51, Deletions=[dict(Name=users(), Mechanism=self.pick(1, 2, 0)) for _ in range(self.pick(0, 0, 1, 2))], Upsertions=[upsert() for _ in range(self.pick(0, 1, 1, 2))])
        self.add(50, Users=self.pick([dict(Name=self.users[0])], [dict(Name=self.users[0]), dict(Name="absent")], [dict(Name=self.users[1])] * 2))

    def configs(self):
        kind = self.pick(2, 2, 2, 16, 32, 4, 8, 0, 1)
        name = {2: self.topic(), 16: self.pick(f"m{self.users[0]}", "", "m"), 32: self.pick(*self.groups, ""), 4: self.pick("1", "5", "x"), 8: self.pick("1", "7", "")}.get(kind, "n")
        keys = {
            2: ("retention.ms", "cleanup.policy", "min.insync.replicas", "nonsense", "segment.bytes", "compression.type"),
            16: ("metrics", "interval.ms", "match", "nonsense"),
            32: ("consumer.session.timeout.ms", "share.record.lock.duration.ms", "streams.num.standby.replicas", "streams.session.timeout.ms", "nonsense"),
            8: ("root", "no.such.Logger"),
        }.get(kind, ("retention.ms",))
        values = ("1000", "delete", "compact,delete", "x", "", "5000000", "*", "client_id=a", "gzip", None)
        # Settings of the broker itself hold for all sequences: they are only asked for.
        if kind not in (4, 8):
            change = lambda: dict(Name=self.pick(*keys), ConfigOperation=self.pick(0, 0, 0, 1, 2, 3, 9), Value=self.pick(*values))  # noqa: E731
            resource = dict(ResourceType=kind, ResourceName=name, Configs=[change() for _ in range(self.pick(0, 1, 1, 2))])
            self.add(44, Resources=[resource] * self.pick(1, 1, 1, 1, 2), ValidateOnly=self.rarely(0.2))
        elif self.rarely(0.3):
            change = dict(Name=self.pick(*keys), ConfigOperation=self.pick(1, 2, 9), Value="x")
            self.add(44, Resources=[dict(ResourceType=kind, ResourceName="9", Configs=[change])], ValidateOnly=False)
        if self.rarely(0.2) and kind != 4:
            config = dict(Name=self.pick(*keys), Value=self.pick(*values))
            self.add(33, Resources=[dict(ResourceType=kind, ResourceName=name, Configs=[config])], ValidateOnly=self.rarely(0.2))
        if kind != 8 and (kind, name) != (4, "1"):
            extra = {"IncludeSynonyms": self.rarely(0.5)}
            self.add(32, Resources=[dict(ResourceType=kind, ResourceName=name, ConfigurationKeys=self.pick(None, list(keys[:2]), ["nonsense"]))], **extra)

    def acls(self):
        acl = dict(ResourceType=self.pick(2, 3, 4), ResourceName="t", ResourcePatternType=self.pick(3, 4), Principal="User:a", Host="*", Operation=self.pick(2, 3), PermissionType=self.pick(2, 3))
        self.add(30, Creations=[acl] * self.pick(0, 1, 2))
        filter_ = dict(ResourceTypeFilter=2, ResourceNameFilter=self.pick(None, "t"), PatternTypeFilter=3, Operation=1, PermissionType=1)
        self.add(31, Filters=[filter_] * self.pick(0, 1, 2))

    def features(self):
        update = lambda: dict(Feature=self.pick("metadata.version", "kraft.version", "foo", "metadata.version"), MaxVersionLevel=self.pick(30, 29, 7, 0, 31, -1, 1), UpgradeType=self.pick(1, 2, 3, 0))  # noqa: E731
        self.add(57, self.pick(1, 2), FeatureUpdates=[update() for _ in range(self.pick(0, 1, 1))], ValidateOnly=True)

    def telemetry(self):
        self.add(71, ClientInstanceId=self.pick(uuid.UUID(int=0), uuid.UUID(int=0), Name("instance", 0)))
        for _ in range(self.pick(1, 2)):
            self.add(72, ClientInstanceId=self.pick(Name("instance", 0), Name("instance", 0), uuid.UUID(int=0)), SubscriptionId=self.pick(Name("subscription", 0), Name("subscription", 0), 9), Terminating=self.rarely(), CompressionType=self.pick(0, 0, 4, 9), Metrics=b"")

    def make(self):
        """Fills the sequence: topics first, then anything."""
        self.create()
        # Which of two names that collide a broker would create first is chance.
        self.add(3, self.pick(9, 12, 13), Topics=[dict(Name=topic) for topic in self.topics], AllowAutoTopicCreation=False)
        if self.rarely(0.3):
            self.add(3, self.pick(4, 9, 12), Topics=[dict(Name=topic) for topic in self.topics[:3]], AllowAutoTopicCreation=True)
        by_hand = [self.create, self.produce, self.produce, self.fetch, self.fetch, self.quotas, self.scram, self.configs, self.configs, self.features, self.telemetry, self.acls]
        by_schema = [key for key in self.versions if key not in SCRIPTED | HELD]
        if self.rarely(0.15):
            self.group()
        if self.rarely(0.5):
            self.random.choice(self.scripts)(self)
        for _ in range(self.random.randint(4, 9)):
            if self.rarely(0.5):
                self.random.choice(by_hand)()
            else:
                self.random_request(self.random.choice(by_schema))
        self.requests = [self.trimmed(*request) for request in self.requests]
        return self


#: By hand only: ACLs with unknown elements make Apache Kafka's broker and controller retry until they time out, and all
#: that is forwarded meanwhile waits; random ones would change all sequences (broker settings, features), move or forget the node, or hand out
#: what only a live client returns. Transactions and the newer groups have their order (`scripted`).
HELD = {17, 30, 31, 33, 34, 36, 44, 48, 49, 51, 57, 64, 71, 72, 80, 81, 22, 24, 25, 26, 27, 28, 61, 65, 66, 67, 68, 69, 76, 77, 78, 79, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92}
