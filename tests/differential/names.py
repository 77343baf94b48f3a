"""What a broker hands out and the next request needs: by name in a sequence, by value on each broker."""

import uuid
from typing import NamedTuple

from .batches import Produced, shown


class Name(NamedTuple):
    kind: str
    name: object

    def __repr__(self):
        return f"<{self.kind} {self.name}>"


class Names:
    """What one broker has handed out in one sequence."""

    def __init__(self):
        self.values, self.known, self.producers = {}, {}, {}

    def learn(self, kind, name, value):
        if name is not None and value and value not in (-1, uuid.UUID(int=0)):
            self.values[Name(kind, name)] = value
            self.known.setdefault(value, Name(kind, name))

    def resolve(self, value):
        """A request with this broker's own values in it; what was never handed out is made up, by kind."""
        if isinstance(value, Produced):
            return value.resolve(self)
        if isinstance(value, Name):
            made_up = {"topic": uuid.UUID(int=77), "member": "nobody", "producer": 4_000_000, "epoch": 0, "instance": uuid.UUID(int=78), "subscription": 5, "member epoch": 1}
            return self.values.get(value, made_up[value.kind])
        if isinstance(value, dict):
            return {key: self.resolve(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.resolve(item) for item in value]
        return value

    def read(self, key, answer):
        """Learns from an answer."""
        if answer is None or "no answer" in answer:
            return
        if key in (3, 19, 75):
            for topic in answer["Topics"]:
                self.learn("topic", topic["Name"], topic.get("TopicId"))
        elif key == 20:
            for topic in (topic for topic in answer["Responses"] if topic["ErrorCode"] == 0):
                self.learn("topic", topic["Name"], topic.get("TopicId"))
        elif key in (11, 68, 76, 88):
            if key in (11, 68):
                self.learn("member", 0, answer["MemberId"])
            if answer["ErrorCode"] == 0 and key != 11:
                self.values[Name("member epoch", answer["MemberId"])] = answer["MemberEpoch"]
        elif key in (22, 26):
            self.producer(answer.get("ProducerId", -1), answer.get("ProducerEpoch"))
        elif key == 71:
            self.learn("instance", 0, answer["ClientInstanceId"])
            self.learn("subscription", 0, answer["SubscriptionId"])

    def producer(self, id_, epoch):
        """Ids of producers begin at 0."""
        if id_ >= 0:
            name = self.producers.setdefault(id_, Name("producer", len(self.producers)))
            self.values[Name("producer", 0)], self.values[Name("epoch", 0)] = id_, epoch
            self.values[name] = id_

    def show_producer(self, id_):
        return repr(self.producers[id_]) if id_ in self.producers else id_ if id_ < 0 else "another"

    def show_field(self, name, value):
        if name == "ProducerId":
            return self.show_producer(value)
        return shown(value, self.show_producer) if name == "Records" and value else self.show(value)

    def show(self, value):
        """An answer with names for this broker's own values."""
        if isinstance(value, dict):
            return {key: self.show_field(key, item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.show(item) for item in value]
        if isinstance(value, str):
            for known, name in self.known.items():
                if isinstance(known, str):
                    value = value.replace(known, repr(name))
                elif isinstance(known, uuid.UUID):
                    value = value.replace(_base64(known), repr(name))
            return value
        if isinstance(value, bool) or not isinstance(value, (int, uuid.UUID)):
            return value
        name = self.known.get(value) if isinstance(value, uuid.UUID) or value > 500 or value < -500 else None
        return repr(name) if name else str(value) if isinstance(value, uuid.UUID) else value


def _base64(value):
    import base64

    return base64.urlsafe_b64encode(value.bytes).decode().rstrip("=")
