// What a JVM client does in a day, one line each: `case ok`, or `case ! why`. Of Apache Kafka's clients 3.9 and 4.x alike.
//   java -cp 'JARS/*' JvmMatrix.java HOST:PORT PREFIX
// PREFIX makes topics and groups its own. Every case looks at what it got.

import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.acl.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.quota.*;
import org.apache.kafka.common.serialization.*;

public class JvmMatrix {
    static String server, prefix;
    static Admin admin;

    interface Case { void run() throws Throwable; }

    static void check(boolean right, Object told) {
        if (!right) throw new AssertionError(String.valueOf(told));
    }

    static void same(Object expected, Object found) {
        check(Objects.equals(expected, found), found + " instead of " + expected);
    }

    static <T> T get(KafkaFuture<T> future) throws Throwable {
        try {
            return future.get(30, TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            throw e.getCause();
        }
    }

    /** Apache Kafka's broker learns later what its controller has answered. */
    static void becomes(Object expected, Callable<Object> told) throws Throwable {
        Object found = null;
        for (int i = 0; i < 100 && !Objects.equals(expected, found); i++) {
            if (i > 0) Thread.sleep(100);
            found = told.call();
        }
        same(expected, found);
    }

    static ConfigEntry config(ConfigResource resource, String key) throws Exception {
        return admin.describeConfigs(List.of(resource)).all().get(30, TimeUnit.SECONDS).get(resource).get(key);
    }

    static void refused(Class<? extends Throwable> expected, Case asked) throws Throwable {
        try {
            asked.run();
        } catch (Throwable thrown) {
            Throwable cause = thrown instanceof ExecutionException || thrown.getClass() == KafkaException.class ? thrown.getCause() : thrown;
            check(expected.isInstance(cause), cause);
            return;
        }
        throw new AssertionError("no " + expected.getSimpleName());
    }

    static void tell(String name, Case body) {
        String told = "ok";
        try {
            body.run();
        } catch (Throwable thrown) {
            told = "! " + thrown.getClass().getSimpleName() + ": " + String.valueOf(thrown.getMessage()).replace('\n', ' ');
        }
        System.out.println(name + " " + told);
        System.out.flush();
    }

    static String topic(String name, int partitions) throws Throwable {
        String topic = prefix + "-" + name;
        get(admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all());
        return topic;
    }

    static KafkaProducer<String, String> producer(Map<String, Object> more) {
        var config = new HashMap<String, Object>(Map.of("bootstrap.servers", server, "linger.ms", 5));
        config.putAll(more);
        return new KafkaProducer<>(config, new StringSerializer(), new StringSerializer());
    }

    static KafkaConsumer<String, String> consumer(String group, Map<String, Object> more) {
        var config = new HashMap<String, Object>(Map.of("bootstrap.servers", server, "auto.offset.reset", "earliest", "enable.auto.commit", false));
        if (group != null) config.put("group.id", prefix + "-" + group);
        config.putAll(more);
        return new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer());
    }

    static List<String> read(KafkaConsumer<String, String> consumer, int count) {
        var found = new ArrayList<String>();
        long end = System.nanoTime() + 60_000_000_000L;
        while (found.size() < count && System.nanoTime() < end) consumer.poll(Duration.ofMillis(200)).forEach(r -> found.add(r.value()));
        return found;
    }

    static Set<String> values(String prefix, int count) {
        return IntStream.range(0, count).mapToObj(i -> prefix + i).collect(Collectors.toCollection(TreeSet::new));
    }

    static void fill(String topic, int partitions, int count) throws Throwable {
        try (var producer = producer(Map.of())) {
            for (int i = 0; i < count; i++) producer.send(new ProducerRecord<>(topic, i % partitions, "k" + i, "v" + i));
        }
    }

    public static void main(String[] args) throws Throwable {
        server = args[0];
        prefix = args[1];
        admin = Admin.create(Map.of("bootstrap.servers", server));
        topics();
        cluster();
        security();
        producers();
        consumers("classic");
        consumers("consumer");
        transactions();
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }

    static void topics() throws Throwable {
        String name = prefix + "-admin";
        var first = new TopicPartition(name, 0);
        var resource = new ConfigResource(ConfigResource.Type.TOPIC, name);
        tell("admin-create-topics", () -> {
            get(admin.createTopics(List.of(new NewTopic(name, 1, (short) 1).configs(Map.of("retention.ms", "86400000")))).all());
            refused(TopicExistsException.class, () -> get(admin.createTopics(List.of(new NewTopic(name, 1, (short) 1))).all()));
            refused(InvalidReplicationFactorException.class, () -> get(admin.createTopics(List.of(new NewTopic(name + "3", 1, (short) 3))).all()));
            refused(InvalidTopicException.class, () -> get(admin.createTopics(List.of(new NewTopic("no topic", 1, (short) 1))).all()));
        });
        tell("admin-create-partitions", () -> {
            get(admin.createPartitions(Map.of(name, NewPartitions.increaseTo(2))).all());
            refused(InvalidPartitionsException.class, () -> get(admin.createPartitions(Map.of(name, NewPartitions.increaseTo(1))).all()));
        });
        tell("admin-describe-topics", () -> {
            becomes(2, () -> admin.describeTopics(List.of(name)).allTopicNames().get(30, TimeUnit.SECONDS).get(name).partitions().size());
            refused(UnknownTopicOrPartitionException.class, () -> get(admin.describeTopics(List.of(name + "-absent")).allTopicNames()));
        });
        tell("admin-list-topics", () -> check(get(admin.listTopics().names()).contains(name), "not listed"));
        tell("admin-configs", () -> {
            get(admin.incrementalAlterConfigs(Map.of(resource, List.of(new AlterConfigOp(new ConfigEntry("cleanup.policy", "compact"), AlterConfigOp.OpType.APPEND)))).all());
            becomes("delete,compact", () -> config(resource, "cleanup.policy").value());
            same("86400000", config(resource, "retention.ms").value());
            get(admin.incrementalAlterConfigs(Map.of(resource, List.of(new AlterConfigOp(new ConfigEntry("cleanup.policy", ""), AlterConfigOp.OpType.DELETE)))).all());
            refused(InvalidConfigurationException.class, () -> get(admin.incrementalAlterConfigs(Map.of(resource, List.of(new AlterConfigOp(new ConfigEntry("retention.ms", "x"), AlterConfigOp.OpType.SET)))).all()));
        });
        tell("admin-offsets-and-records", () -> {
            fill(name, 2, 10);
            same(5L, get(admin.listOffsets(Map.of(first, OffsetSpec.latest())).partitionResult(first)).offset());
            same(2L, get(admin.deleteRecords(Map.of(first, RecordsToDelete.beforeOffset(2))).lowWatermarks().get(first)).lowWatermark());
            same(2L, get(admin.listOffsets(Map.of(first, OffsetSpec.earliest())).partitionResult(first)).offset());
            check(get(admin.listOffsets(Map.of(first, OffsetSpec.maxTimestamp())).partitionResult(first)).offset() >= 0, "max timestamp");
        });
        tell("admin-log-dirs", () -> {
            check(get(admin.describeLogDirs(List.of(1)).allDescriptions()).get(1).values().stream().anyMatch(dir -> dir.replicaInfos().containsKey(first)), "no replica");
            var replica = new TopicPartitionReplica(name, 0, 1);
            String dir = get(admin.describeReplicaLogDirs(List.of(replica)).all()).get(replica).getCurrentReplicaLogDir();
            get(admin.alterReplicaLogDirs(Map.of(replica, dir)).all());
        });
        tell("admin-leaders-and-reassignments", () -> {
            check(get(admin.electLeaders(ElectionType.PREFERRED, Set.of(first)).partitions()).get(first).get() instanceof ElectionNotNeededException, "elected");
            get(admin.alterPartitionReassignments(Map.of(first, Optional.of(new NewPartitionReassignment(List.of(1))))).all());
            same(Map.of(), get(admin.listPartitionReassignments().reassignments()));
        });
        tell("admin-delete-topics", () -> {
            get(admin.deleteTopics(List.of(name)).all());
            refused(UnknownTopicOrPartitionException.class, () -> get(admin.deleteTopics(List.of(name)).all()));
        });
    }

    static void cluster() throws Throwable {
        tell("admin-cluster", () -> same(1, get(admin.describeCluster().nodes()).size()));
        tell("admin-quorum", () -> same(1, get(admin.describeMetadataQuorum().quorumInfo()).leaderId()));
        tell("admin-features", () -> check(get(admin.describeFeatures().featureMetadata()).finalizedFeatures().containsKey("metadata.version"), "no metadata.version"));
        tell("admin-broker-configs", () -> {
            var broker = new ConfigResource(ConfigResource.Type.BROKER, "1");
            get(admin.incrementalAlterConfigs(Map.of(broker, List.of(new AlterConfigOp(new ConfigEntry("log.cleaner.backoff.ms", "16000"), AlterConfigOp.OpType.SET)))).all());
            becomes("16000", () -> config(broker, "log.cleaner.backoff.ms").value());
            get(admin.incrementalAlterConfigs(Map.of(broker, List.of(new AlterConfigOp(new ConfigEntry("log.cleaner.backoff.ms", ""), AlterConfigOp.OpType.DELETE)))).all());
        });
        tell("admin-client-metrics", () -> {
            var metrics = new ConfigResource(ConfigResource.Type.CLIENT_METRICS, prefix);
            get(admin.incrementalAlterConfigs(Map.of(metrics, List.of(new AlterConfigOp(new ConfigEntry("interval.ms", "1000"), AlterConfigOp.OpType.SET)))).all());
            becomes("1000", () -> config(metrics, "interval.ms").value());
        });
    }

    static void security() throws Throwable {
        tell("admin-scram", () -> {
            String user = prefix + "-user";
            get(admin.alterUserScramCredentials(List.of(new UserScramCredentialUpsertion(user, new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096), "secret"))).all());
            becomes(List.of(user), () -> List.copyOf(admin.describeUserScramCredentials().all().get(30, TimeUnit.SECONDS).keySet()));
            same(4096, get(admin.describeUserScramCredentials(List.of(user)).all()).get(user).credentialInfos().get(0).iterations());
            get(admin.alterUserScramCredentials(List.of(new UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_256))).all());
        });
        tell("admin-quotas", () -> {
            var user = new ClientQuotaEntity(Map.of("user", prefix + "-user"));
            get(admin.alterClientQuotas(List.of(new ClientQuotaAlteration(user, List.of(new ClientQuotaAlteration.Op("producer_byte_rate", 1e6))))).all());
            becomes(Map.of("producer_byte_rate", 1e6), () -> admin.describeClientQuotas(ClientQuotaFilter.all()).entities().get(30, TimeUnit.SECONDS).get(user));
        });
        tell("admin-acls-without-authorizer", () -> refused(SecurityDisabledException.class, () -> get(admin.describeAcls(AclBindingFilter.ANY).values())));
        tell("admin-tokens-without-identity", () -> refused(UnsupportedByAuthenticationException.class, () -> get(admin.createDelegationToken().delegationToken())));
    }

    static void producers() throws Throwable {
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd"))
            tell("producer-" + codec, () -> {
                String topic = topic(codec, 2);
                try (var producer = producer(Map.of("compression.type", codec, "acks", "all"))) {
                    for (int i = 0; i < 500; i++) producer.send(new ProducerRecord<>(topic, "k" + i, "v" + i));
                }
                try (var consumer = consumer(null, Map.of())) {
                    consumer.assign(List.of(new TopicPartition(topic, 0), new TopicPartition(topic, 1)));
                    var found = read(consumer, 500);
                    same(500, found.size());
                    same(values("v", 500), new TreeSet<>(found));
                }
            });
        tell("producer-acks-1-and-0", () -> {
            String topic = topic("acks", 1);
            for (String acks : List.of("1", "0")) {
                try (var producer = producer(Map.of("acks", acks, "enable.idempotence", false))) {
                    producer.send(new ProducerRecord<>(topic, acks)).get(30, TimeUnit.SECONDS);
                }
            }
            try (var consumer = consumer(null, Map.of())) {
                consumer.assign(List.of(new TopicPartition(topic, 0)));
                same(List.of("1", "0"), read(consumer, 2));
            }
        });
        tell("producer-headers-and-timestamps", () -> {
            String topic = topic("headers", 1);
            var record = new ProducerRecord<>(topic, 0, 1_700_000_000_000L, "k", "v");
            record.headers().add("h", new byte[] {1, 2});
            try (var producer = producer(Map.of())) {
                producer.send(record).get(30, TimeUnit.SECONDS);
            }
            try (var consumer = consumer(null, Map.of())) {
                var partition = new TopicPartition(topic, 0);
                consumer.assign(List.of(partition));
                same(0L, consumer.offsetsForTimes(Map.of(partition, 1_600_000_000_000L)).get(partition).offset());
                ConsumerRecord<String, String> found = null;
                for (int i = 0; found == null && i < 100; i++) for (var one : consumer.poll(Duration.ofMillis(200))) found = one;
                same(1_700_000_000_000L, found.timestamp());
                same(2, (int) found.headers().lastHeader("h").value()[1]);
            }
        });
        tell("producer-too-large", () -> {
            String topic = topic("large", 1);
            try (var producer = producer(Map.of("max.request.size", 5_000_000))) {
                refused(RecordTooLargeException.class, () -> producer.send(new ProducerRecord<>(topic, "x".repeat(2_000_000))).get(30, TimeUnit.SECONDS));
            }
        });
    }

    static void consumers(String protocol) throws Throwable {
        Map<String, Object> of = Map.of("group.protocol", protocol);
        String group = protocol + "-group", topic = topic(protocol, 4);
        String id = prefix + "-" + group;
        fill(topic, 4, 400);
        tell(protocol + "-two-members-share", () -> {
            try (var a = consumer(group, of); var b = consumer(group, of)) {
                a.subscribe(List.of(topic));
                b.subscribe(List.of(topic));
                var found = new ArrayList<String>();
                long end = System.nanoTime() + 60_000_000_000L;
                while ((found.size() < 400 || a.assignment().size() != 2 || b.assignment().size() != 2) && System.nanoTime() < end) {
                    for (var one : List.of(a, b)) {
                        one.poll(Duration.ofMillis(100)).forEach(r -> found.add(r.value()));
                        try {
                            one.commitSync();
                        } catch (CommitFailedException | RebalanceInProgressException again) {
                            // the group moves on; what was not committed is read again
                        }
                    }
                }
                same(values("v", 400), new TreeSet<>(found));
                same(4, Stream.of(a, b).mapToInt(one -> one.assignment().size()).sum());
                same(2, get(admin.describeConsumerGroups(List.of(id)).all()).get(id).members().size());
            }
        });
        tell(protocol + "-committed-offsets", () -> {
            var offsets = get(admin.listConsumerGroupOffsets(id).partitionsToOffsetAndMetadata());
            same(400L, offsets.values().stream().mapToLong(OffsetAndMetadata::offset).sum());
        });
        tell(protocol + "-pattern-and-seek", () -> {
            try (var consumer = consumer(group, of)) {
                consumer.subscribe(java.util.regex.Pattern.compile(java.util.regex.Pattern.quote(topic)));
                long end = System.nanoTime() + 60_000_000_000L;
                while (consumer.assignment().size() < 4 && System.nanoTime() < end) consumer.poll(Duration.ofMillis(100));
                consumer.seekToBeginning(consumer.assignment());
                same(400, read(consumer, 400).size());
                same(400L, consumer.endOffsets(consumer.assignment()).values().stream().mapToLong(n -> n).sum());
            }
        });
        tell(protocol + "-group-administration", () -> {
            check(get(admin.listConsumerGroups().all()).stream().anyMatch(one -> one.groupId().equals(id)), "not listed");
            var first = new TopicPartition(topic, 0);
            get(admin.alterConsumerGroupOffsets(id, Map.of(first, new OffsetAndMetadata(7))).all());
            same(7L, get(admin.listConsumerGroupOffsets(id).partitionsToOffsetAndMetadata()).get(first).offset());
            get(admin.deleteConsumerGroupOffsets(id, Set.of(first)).all());
            check(get(admin.listConsumerGroupOffsets(id).partitionsToOffsetAndMetadata()).get(first) == null, "still there");
            get(admin.deleteConsumerGroups(List.of(id)).all());
            refused(GroupIdNotFoundException.class, () -> get(admin.deleteConsumerGroups(List.of(id)).all()));
        });
    }

    static void transactions() throws Throwable {
        String in = topic("txn-in", 1), out = topic("txn-out", 1), id = prefix + "-txn";
        var target = new TopicPartition(out, 0);
        Map<String, Object> of = Map.of("transactional.id", id);
        tell("transactions-commit-and-abort", () -> {
            try (var producer = producer(of)) {
                producer.initTransactions();
                for (boolean commit : List.of(true, false, true)) {
                    producer.beginTransaction();
                    for (int i = 0; i < 5; i++) producer.send(new ProducerRecord<>(out, (commit ? "kept" : "lost") + i));
                    if (commit) producer.commitTransaction(); else producer.abortTransaction();
                }
            }
            try (var consumer = consumer(null, Map.of("isolation.level", "read_committed"))) {
                consumer.assign(List.of(target));
                var found = read(consumer, 10);
                same(10, found.size());
                check(found.stream().allMatch(value -> value.startsWith("kept")), found);
            }
        });
        tell("transactions-fencing", () -> {
            try (var old = producer(of); var young = producer(of)) {
                old.initTransactions();
                old.beginTransaction();
                old.send(new ProducerRecord<>(out, "lost"));
                old.flush();
                young.initTransactions();
                refused(KafkaException.class, () -> { old.send(new ProducerRecord<>(out, "lost")).get(30, TimeUnit.SECONDS); old.commitTransaction(); });
            }
        });
        tell("transactions-offsets", () -> {
            fill(in, 1, 20);
            try (var consumer = consumer("txn", Map.of("isolation.level", "read_committed")); var producer = producer(of)) {
                producer.initTransactions();
                consumer.subscribe(List.of(in));
                int moved = 0;
                long end = System.nanoTime() + 60_000_000_000L;
                while (moved < 20 && System.nanoTime() < end) {
                    var records = consumer.poll(Duration.ofMillis(200));
                    if (records.isEmpty()) continue;
                    producer.beginTransaction();
                    for (var record : records) producer.send(new ProducerRecord<>(out, "copy" + record.value()));
                    long next = records.records(new TopicPartition(in, 0)).stream().mapToLong(ConsumerRecord::offset).max().getAsLong() + 1;
                    producer.sendOffsetsToTransaction(Map.of(new TopicPartition(in, 0), new OffsetAndMetadata(next)), consumer.groupMetadata());
                    producer.commitTransaction();
                    moved += records.count();
                }
                same(20, moved);
            }
            same(20L, get(admin.listConsumerGroupOffsets(prefix + "-txn").partitionsToOffsetAndMetadata()).get(new TopicPartition(in, 0)).offset());
        });
        tell("transactions-administration", () -> {
            check(get(admin.listTransactions().all()).stream().anyMatch(one -> one.transactionalId().equals(id)), "not listed");
            same(TransactionState.COMPLETE_COMMIT, get(admin.describeTransactions(List.of(id)).all()).get(id).state());
            get(admin.describeProducers(List.of(target)).all());
            get(admin.fenceProducers(List.of(id)).all());
        });
    }
}
