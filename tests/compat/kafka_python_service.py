"""Stands in for `test/service.py` of kafka-python, which its source distribution leaves out: a broker that runs."""


class ExternalService:
    def __init__(self, host, port):
        self.host, self.port = host, port

    def open(self):
        """It runs already."""

    def stop(self):
        """Whoever started it stops it."""


class SpawnedService:
    def __init__(self, *_, **__):
        raise NotImplementedError("the suite runs against a broker named by KAFKA_URI")
