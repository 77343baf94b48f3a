"""What of an answer is compared: without times, and in an order of its own where Kafka's is that of a hash table."""

#: Values that no two nodes share, and what each says in its own words. Not compared at all.
OWN = {
    "ClusterId", "Host", "Port", "LogDir", "TotalBytes", "UsableBytes", "LastFetchTimestamp", "LastCaughtUpTimestamp",
    "LogAppendTimeMs", "FinalizedFeaturesEpoch", "LogEndOffset", "TransactionStartTimeMs", "LastTimestamp",
    "StatusDetail",
}  # fmt: skip


def normal(key, value, name=None):
    if name in OWN:
        return "*"
    if isinstance(value, dict):
        if key == 35 and str(value.get("Name")).startswith("__"):
            # How coordinators pack their records is their own affair.
            value = {**value, "Partitions": [{**partition, "PartitionSize": "*"} for partition in value["Partitions"]]}
        if key == 2 and str(value.get("Name")).startswith("__"):
            value = {**value, "Partitions": [{**partition, "Offset": "*", "Timestamp": "*"} for partition in value["Partitions"]]}
        if key == 23 and str(value.get("Topic")).startswith("__"):
            value = {**value, "Partitions": [{**partition, "EndOffset": "*"} for partition in value["Partitions"]]}
        return {field: normal(key, item, field) for field, item in value.items()}
    if isinstance(value, list):
        if name == "AcquiredRecords":
            value = _joined(value)
        items = [normal(key, item, name) for item in value]
        return items if name in ("Records",) else sorted(items, key=repr)
    if isinstance(value, bytes):
        return value.hex()
    return value


def _joined(ranges):
    """Records delivered again, side by side and as often: Apache Kafka tells them in the pieces in which they came back."""
    out = []
    for each in sorted(ranges, key=lambda each: each["FirstOffset"]):
        last = out[-1] if out else None
        if last and each["DeliveryCount"] > 1 and (last["LastOffset"] + 1, last["DeliveryCount"]) == (each["FirstOffset"], each["DeliveryCount"]):
            out[-1] = {**last, "LastOffset": each["LastOffset"]}
        else:
            out.append(each)
    return out


def difference(expected, found, path=""):
    """Where two answers part: `path: expected, found`, or None."""
    if type(expected) is type(found) is dict and expected.keys() == found.keys():
        parts = (difference(expected[key], found[key], f"{path}.{key}" if path else key) for key in expected)
        return next((part for part in parts if part), None)
    if type(expected) is type(found) is list and len(expected) == len(found):
        parts = (difference(a, b, f"{path}[]") for a, b in zip(expected, found))
        return next((part for part in parts if part), None)
    if type(expected) is type(found) is list:
        missing = [item for item in expected if item not in found]
        extra = [item for item in found if item not in expected]
        return f"{path}[] {len(expected)}, {len(found)}: without {short(missing)}, with {short(extra)}"
    if expected == found:
        return None
    return f"{path}: {short(expected)}, {short(found)}"


def short(value):
    text = repr(value)
    return text if len(text) <= 240 else f"{text[:240]}..."
