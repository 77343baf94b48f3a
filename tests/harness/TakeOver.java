// What the take-over scenarios write with Apache Kafka's own clients, and what they read back.
//   java -cp 'JARS/*' TakeOver.java seed|more|look|kept|settle HOST:PORT [modern]

import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.serialization.*;

public class TakeOver {
    static String broker;

    public static void main(String[] args) throws Exception {
        broker = args[1];
        boolean modern = args.length > 2 && args[2].equals("modern");
        switch (args[0]) {
            case "seed" -> seed(modern);
            case "more" -> more(modern);
            case "look" -> look(modern);
            case "kept" -> kept(modern);
            case "settle" -> settle();
            default -> throw new Error(args[0]);
        }
        System.out.flush();
        // A transaction that is open stays open: nothing is closed.
        Runtime.getRuntime().halt(0);
    }

    static Map<String, Object> with(String... pairs) {
        Map<String, Object> all = new HashMap<>();
        all.put("bootstrap.servers", broker);
        for (int i = 0; i < pairs.length; i += 2) all.put(pairs[i], pairs[i + 1]);
        return all;
    }

    static KafkaProducer<String, String> producer(String... pairs) {
        return new KafkaProducer<>(with(pairs), new StringSerializer(), new StringSerializer());
    }

    static KafkaConsumer<String, String> consumer(String... pairs) {
        Map<String, Object> all = with(pairs);
        all.put("auto.offset.reset", "earliest");
        all.put("enable.auto.commit", "false");
        return new KafkaConsumer<>(all, new StringDeserializer(), new StringDeserializer());
    }

    static void seed(boolean modern) throws Exception {
        try (Admin admin = Admin.create(with())) {
            admin.createTopics(List.of(
                new NewTopic("plain", 2, (short) 1).configs(Map.of("segment.bytes", "1048576", "index.interval.bytes", "1024")),
                new NewTopic("compacted", 1, (short) 1).configs(Map.of("cleanup.policy", "compact", "segment.bytes", "1048576")),
                new NewTopic("stamped", 1, (short) 1).configs(Map.of("message.timestamp.type", "LogAppendTime")),
                new NewTopic("txn", 2, (short) 1))).all().get();
            admin.alterUserScramCredentials(List.of(new UserScramCredentialUpsertion(
                "alice", new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096), "secret"))).all().get();
        }
        Random random = new Random(7);
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            try (var p = producer("compression.type", codec, "linger.ms", "5")) {
                for (int i = 0; i < 600; i++) {
                    byte[] junk = new byte[1500];
                    random.nextBytes(junk);
                    String value = i + Base64.getEncoder().encodeToString(junk);
                    var r = new ProducerRecord<>("plain", i % 2, i % 7 == 0 ? null : "k" + i, i % 11 == 0 ? null : value);
                    if (i % 5 == 0) r.headers().add("h", "v\u00e9".getBytes("UTF-8")).add("none", null);
                    p.send(r);
                    p.send(new ProducerRecord<>("stamped", "s" + i, codec + i));
                    p.send(new ProducerRecord<>("compacted", "c" + i % 20, codec + value));
                }
            }
        }
        transactions("committer", 5, true);
        transactions("aborter", 3, false);
        var open = producer("transactional.id", "open", "transaction.timeout.ms", "600000");
        open.initTransactions();
        open.beginTransaction();
        for (int i = 0; i < 4; i++) open.send(new ProducerRecord<>("txn", i % 2, "k", "open")).get();
        commit(consumer("group.id", "classic-group"));
        if (modern) commit(consumer("group.id", "modern-group", "group.protocol", "consumer"));
        System.out.println("seeded");
    }

    static void transactions(String id, int count, boolean commit) throws Exception {
        try (var p = producer("transactional.id", id)) {
            p.initTransactions();
            for (int t = 0; t < count; t++) {
                p.beginTransaction();
                for (int i = 0; i < 10; i++) p.send(new ProducerRecord<>("txn", i % 2, "k", id + t));
                p.flush();
                if (commit) p.commitTransaction(); else p.abortTransaction();
            }
        }
    }

    static void commit(KafkaConsumer<String, String> consumer) {
        consumer.subscribe(List.of("plain"));
        for (int n = 0; n < 100; ) n += consumer.poll(Duration.ofMillis(500)).count();
        consumer.commitSync();
        consumer.close();
    }

    /** What is written while corelog has the directory. */
    static void more(boolean modern) throws Exception {
        try (Admin admin = Admin.create(with())) {
            admin.createTopics(List.of(new NewTopic("of-corelog", 2, (short) 1).configs(Map.of("retention.ms", "-1")))).all().get();
        }
        try (var p = producer("compression.type", "lz4", "linger.ms", "5")) {
            for (int i = 0; i < 500; i++) {
                p.send(new ProducerRecord<>("plain", i % 2, "m" + i, "more" + i));
                p.send(new ProducerRecord<>("of-corelog", i % 2, "n" + i, "new" + i));
                p.send(new ProducerRecord<>("compacted", "c" + i % 20, "more" + i));
            }
        }
        var consumer = consumer("group.id", "of-corelog-group");
        commit(consumer);
        if (modern) {
            // A group of Kafka's goes on, one comes into being, one changes its protocol.
            for (String group : List.of("modern-group", "of-corelog-modern")) commit(consumer("group.id", group, "group.protocol", "consumer"));
            commit(consumer("group.id", "changed-group"));
            commit(consumer("group.id", "changed-group", "group.protocol", "consumer"));
        }
        System.out.println("more");
    }

    /** Everything a client sees, a line each: equal before and after. */
    static void look(boolean modern) throws Exception {
        try (Admin admin = Admin.create(with())) {
            Set<String> topics = new TreeSet<>(admin.listTopics().names().get());
            for (String isolation : List.of("read_uncommitted", "read_committed")) {
                for (String topic : topics) digest(topic, isolation);
            }
            for (var topic : new TreeMap<>(admin.describeTopics(topics).allTopicNames().get()).values()) {
                System.out.println(topic.name() + " " + topic.topicId() + " " + topic.partitions().size());
            }
            for (String group : List.of("classic-group", "of-corelog-group")) offsets(admin, group);
            if (modern) groups(admin);
        }
    }

    /** Every group with its kind, its offsets, and the epochs of those of the new protocol. This file also compiles
     * against 3.9.1, which knows none of these methods. */
    static void groups(Admin admin) throws Exception {
        Map<String, Object> listed = new TreeMap<>();
        for (var group : (Collection<?>) future(ask(ask(admin, "listGroups"), "all"))) listed.put((String) ask(group, "groupId"), group);
        for (var entry : listed.entrySet()) {
            Object id = entry.getKey(), group = entry.getValue();
            System.out.println(id + " " + ask(group, "type") + " " + ask(group, "groupState") + " " + ask(group, "protocol"));
            offsets(admin, entry.getKey());
            var described = admin.describeConsumerGroups(List.of(entry.getKey())).all().get().get(id);
            System.out.println(ask(described, "type") + " " + ask(described, "groupEpoch") + " " + ask(described, "targetAssignmentEpoch") + " " + described.members());
        }
    }

    static Object ask(Object whom, String method) throws Exception {
        return whom.getClass().getMethod(method).invoke(whom);
    }

    static Object future(Object future) throws Exception {
        return ((org.apache.kafka.common.KafkaFuture<?>) future).get();
    }

    static void offsets(Admin admin, String group) throws Exception {
        Map<String, Long> all = new TreeMap<>();
        admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().forEach((tp, at) -> all.put("" + tp, at.offset()));
        System.out.println(group + " " + all);
    }

    static void digest(String topic, String isolation) {
        try (var c = consumer("isolation.level", isolation)) {
            for (int partition = 0; partition < c.partitionsFor(topic).size(); partition++) {
                TopicPartition tp = new TopicPartition(topic, partition);
                c.assign(List.of(tp));
                c.seekToBeginning(List.of(tp));
                long begin = c.beginningOffsets(List.of(tp)).get(tp), end = c.endOffsets(List.of(tp)).get(tp);
                Map<String, Integer> newest = new TreeMap<>();
                long count = 0, hash = 0, until = System.currentTimeMillis() + 60_000;
                while (c.position(tp) < end && System.currentTimeMillis() < until) {
                    for (var r : c.poll(Duration.ofMillis(300))) {
                        if (r.offset() >= end) break;
                        count++;
                        int one = Objects.hash(r.offset(), r.timestamp(), r.timestampType().name(), r.key(), r.value(), Arrays.toString(r.headers().toArray()), r.leaderEpoch());
                        newest.put("" + r.key(), one);
                        hash = hash * 31 + one;
                    }
                }
                String stuck = c.position(tp) < end ? " STUCK at " + c.position(tp) : "";
                // Either broker may compact at any time: the newest record of each key stays.
                if (topic.equals("compacted")) {
                    count = newest.size();
                    hash = newest.hashCode();
                    begin = 0;
                }
                // The coordinators' own topics grow by themselves.
                if (!topic.startsWith("__")) System.out.println(isolation + " " + tp + " " + begin + ".." + end + " " + count + " " + hash + stuck);
            }
        }
    }

    /** What corelog keeps and does not serve: asked of Apache Kafka before and after. */
    static void kept(boolean modern) throws Exception {
        try (Admin admin = Admin.create(with())) {
            System.out.println("scram " + new TreeMap<>(admin.describeUserScramCredentials().all().get()));
            System.out.println("features " + new TreeMap<>(admin.describeFeatures().featureMetadata().get().finalizedFeatures()));
            if (modern) {
                System.out.println(admin.describeConsumerGroups(List.of("modern-group")).all().get().get("modern-group").type());
            }
        }
    }

    /** Whoever has the open transaction's id next ends it. */
    static void settle() throws Exception {
        var p = producer("transactional.id", "open");
        p.initTransactions();
        try (Admin admin = Admin.create(with())) {
            Map<TopicPartition, OffsetSpec> latest = Map.of(new TopicPartition("txn", 0), OffsetSpec.latest());
            var options = new ListOffsetsOptions(IsolationLevel.READ_COMMITTED);
            long committed = admin.listOffsets(latest, options).all().get().values().iterator().next().offset();
            long end = admin.listOffsets(latest).all().get().values().iterator().next().offset();
            System.out.println(committed == end ? "settled" : "open at " + committed + " of " + end);
        }
    }
}
