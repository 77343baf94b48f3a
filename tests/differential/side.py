"""One broker and what it answers to sequences of requests."""

import time

from harness.wire import Connection

from .names import Names
from .normal import normal
from .share_records import PREFIX

#: Requests after which Apache Kafka's broker may still have to catch up with its controller.
CHANGING = {10, 19, 20, 33, 37, 44, 43, 45, 49, 51, 57}
#: What Apache Kafka's group coordinator answers from its own view of the topics, which comes still later.
OF_MEMBERS = {68, 76, 88}
#: A topic that Metadata creates is there some time after the answer, on either broker.
CREATED_LATER = (3, 5)
CLOSED = "closed"
#: The next one may come before the last is done: asked again, as clients do.
CONCURRENT_TRANSACTIONS, LOADING = 51, 14
#: seconds: some requests Apache Kafka never answers, as it fails inside
PATIENCE = 8
NOT_LEADER = 6
#: A status of streams groups: the coordinator has the topics created meanwhile.
MISSING_INTERNAL_TOPICS = 3


def has_error(answer, code):
    if isinstance(answer, dict):
        return answer.get("ErrorCode") == code or any(has_error(item, code) for item in answer.values())
    return isinstance(answer, list) and any(has_error(item, code) for item in answer)


class Side:
    def __init__(self, address, follows=False):
        """`follows`: the node's broker learns later what its controller has decided (Apache Kafka); the controller
        listens at the port after the broker's."""
        self.address, self.follows = address, follows
        self.control = Connection(address)
        if follows:
            host, port = address.rsplit(":", 1)
            self.controller = Connection(f"{host}:{int(port) + 1}")

    def versions(self):
        answer = self.control.ask(18, 3, ClientSoftwareName="differential", ClientSoftwareVersion="1")
        return {row["ApiKey"]: (row["MinVersion"], row["MaxVersion"]) for row in answer["ApiKeys"]}

    def prepare(self, versions):
        """Coordinators that serve, for what they answer before is chance; and the features of a fresh Apache Kafka."""
        eligible = [dict(Feature="eligible.leader.replicas.version", MaxVersionLevel=1, UpgradeType=1)]
        assert self.control.ask(57, 1, FeatureUpdates=eligible)["ErrorCode"] == 0
        # A transaction's coordinator where transactions are asked for, too.
        share = "prepare:AAAAAAAAAAAAAAAAAAAABQ:0"
        for kind, of, version in ((0, "prepare", 3), (1, "prepare", 3), (2, share, 6))[: 3 if 83 in versions else 2]:
            for _ in range(300):
                found = self.control.ask(10, version, **({"Key": of} if version < 4 else {"CoordinatorKeys": [of]}), KeyType=kind)
                found = found["Coordinators"][0] if version >= 4 else found
                if found["ErrorCode"] == 0:
                    break
                time.sleep(0.1)
            else:
                raise AssertionError(f"no coordinator of kind {kind} at {self.address}: {found}")
        # The first block of producer ids comes with the first that asks.
        for _ in range(300):
            if self.control.ask(22, 1, TransactionalId=None, TransactionTimeoutMs=1)["ErrorCode"] == 0:
                break
            time.sleep(0.1)
        for _ in range(300):
            groups = [dict(GroupId=f"prepare-{n}", Topics=None) for n in range(40)]
            if all(group["ErrorCode"] == 0 for group in self.control.ask(9, 8, Groups=groups)["Groups"]):
                return
            time.sleep(0.1)
        raise AssertionError(f"the coordinators of {self.address} do not serve")

    def catch_up(self):
        """Waits until the broker has applied what the controller has written."""
        if not self.follows:
            return
        end = self.controller.ask(55, 0, Topics=[dict(TopicName="__cluster_metadata", Partitions=[dict(PartitionIndex=0)])])
        end = end["Topics"][0]["Partitions"][0]["HighWatermark"]
        for _ in range(2000):
            if self.control.ask(18, 3, ClientSoftwareName="d", ClientSoftwareVersion="1")["FinalizedFeaturesEpoch"] >= end - 1:
                break
            time.sleep(0.002)
        # What follows the metadata (replicas, configurations) comes right behind it.
        time.sleep(0.01)

    def settle(self, transactional_id):
        """Waits until a transaction has its markers: they come after the answer."""
        for _ in range(200):
            found = self.control.ask(65, 0, TransactionalIds=[transactional_id])["TransactionStates"]
            if not any(state["TransactionState"].startswith("Prepare") for state in found):
                return
            time.sleep(0.01)

    def created(self, connection, names):
        """Waits until the topics that a request has created are known where it came from; those that could not be are
        waited for in vain."""
        for _ in range(60):
            topics = connection.ask(3, 9, Topics=[dict(Name=name) for name in names], AllowAutoTopicCreation=False)["Topics"]
            if not any(topic["ErrorCode"] in CREATED_LATER for topic in topics):
                break
            time.sleep(0.02)
        if self.follows:
            time.sleep(0.2)
        self.catch_up()

    def run(self, number, requests):
        """The answers, normal; a request that ends the connection is answered `closed`, the next has a new one."""
        names, answers, connection, changed = Names(), [], None, False
        for key, version, body in requests:
            if self.follows and changed and key in OF_MEMBERS:
                time.sleep(0.1)
            changed = key in CHANGING
            connection = connection or Connection(self.address, timeout=PATIENCE)
            try:
                answer = connection.ask(key, version, **names.resolve(body))
                for _ in range(20):
                    # Apache Kafka's broker has not made the replica yet that its controller has created.
                    again = has_error(answer, CONCURRENT_TRANSACTIONS) or key == 22 and has_error(answer, LOADING)
                    if not (again or self.follows and has_error(answer, NOT_LEADER)):
                        break
                    time.sleep(0.1)
                    answer = connection.ask(key, version, **names.resolve(body))
            except TimeoutError:
                answer = {"no answer": True}
                connection.close()
                connection = None
            if key == 16 and answer and "Groups" in answer:
                # Members of other sequences may live a little longer here or there.
                answer["Groups"] = [group for group in answer["Groups"] if str(number) in group["GroupId"]]
            names.read(key, answer)
            if answer is None:
                connection.close()
                connection = None
            elif key == 26:
                self.settle(body["TransactionalId"])
            elif key == 68 and answer["ErrorCode"] == 0 and body.get("SubscribedTopicRegex"):
                # Patterns are looked up beside the heartbeats.
                time.sleep(0.1)
            elif key == 76 and answer["ErrorCode"] == 0 and body["GroupId"].startswith(PREFIX):
                # The state of its partitions is made beside the heartbeats: without it nobody gets them.
                time.sleep(0.1)
            elif key == 88 and answer["ErrorCode"] == 0 and any(status["StatusCode"] == MISSING_INTERNAL_TOPICS for status in answer["Status"] or ()):
                self.created(connection, [topic["Name"] for part in body["Topology"]["Subtopologies"] for topic in part["StateChangelogTopics"] + part["RepartitionSourceTopics"]] if body.get("Topology") else [])
            elif key in CHANGING:
                self.catch_up()
            elif key == 3 and version >= 4 and body.get("AllowAutoTopicCreation", True) and any(topic["ErrorCode"] in CREATED_LATER for topic in answer["Topics"]):
                self.created(connection, [topic["Name"] for topic in answer["Topics"] if topic["ErrorCode"] in CREATED_LATER])
            answers.append(CLOSED if answer is None else normal(key, names.show(answer)))
        if connection:
            connection.close()
        return answers

    def run_all(self, chunk):
        """Of each sequence the answers; afterwards the broker is as it was."""
        answers = [self.run(number, requests) for number, requests in chunk]
        self.tidy()
        return answers

    def tidy(self):
        """Takes away the topics and groups that sequences have made."""
        topics = self.control.ask(3, 9, Topics=None)["Topics"]
        names = [topic["Name"] for topic in topics if not topic["IsInternal"]]
        groups = [group["GroupId"] for group in self.control.ask(16, 3)["Groups"] if not group["GroupId"].startswith("prepare")]
        try:
            if groups:
                self.control.ask(42, 1, GroupsNames=groups)
        except TimeoutError:
            raise AssertionError(f"{'Apache Kafka' if self.follows else 'corelog'} does not say whether it deletes {groups}") from None
        if names:
            self.control.ask(20, 5, TopicNames=names, TimeoutMs=10_000)
            self.catch_up()
