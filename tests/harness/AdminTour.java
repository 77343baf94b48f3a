// Calls every method of Admin once and prints what came of each: `method value`, or `method ! Exception: message`.
//   java -cp 'JARS/*' AdminTour.java HOST:PORT
// Fails where a method of the interface was left out.

import java.lang.reflect.*;
import java.nio.charset.StandardCharsets;
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
import org.apache.kafka.common.quota.*;
import org.apache.kafka.common.resource.*;
import org.apache.kafka.common.serialization.*;

@SuppressWarnings("removal")
public class AdminTour {
    static final Set<String> called = new TreeSet<>();

    static Admin recorded(Admin admin) {
        InvocationHandler handler = (proxy, method, arguments) -> {
            called.add(method.getName());
            try {
                return method.invoke(admin, arguments);
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
        };
        return (Admin) Proxy.newProxyInstance(AdminTour.class.getClassLoader(), new Class<?>[] {Admin.class}, handler);
    }

    static void tell(String what, Callable<Object> call) {
        String told;
        try {
            told = String.valueOf(call.call());
        } catch (Throwable thrown) {
            Throwable cause = thrown instanceof ExecutionException ? thrown.getCause() : thrown;
            told = "! " + cause.getClass().getSimpleName() + ": " + cause.getMessage();
        }
        System.out.println(what + " " + told.replace('\n', ' '));
    }

    static <T> T get(KafkaFuture<T> future) throws Exception {
        return future.get(20, TimeUnit.SECONDS);
    }

    public static void main(String[] args) throws Exception {
        Map<String, Object> config = Map.of("bootstrap.servers", args[0], "default.api.timeout.ms", "15000", "request.timeout.ms", "10000", "enable.metrics.push", "true");
        Admin real = Admin.create(config);
        Admin admin = recorded(real);
        String topic = "tour";
        TopicPartition first = new TopicPartition(topic, 0);
        tell("createTopics", () -> get(admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all()));
        tell("createTopics.collision", () -> get(admin.createTopics(List.of(new NewTopic("a.b", 1, (short) 1), new NewTopic("a_b", 1, (short) 1))).all()));
        tell("createPartitions", () -> get(admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(2))).all()));
        produce(args[0], topic);
        topics(admin, topic, first);
        configs(admin, topic);
        groups(admin, args[0], topic, first);
        security(admin);
        cluster(admin, first);
        transactions(admin, first);
        shares(admin, topic, first);
        tell("metrics", () -> !admin.metrics().isEmpty());
        var metric = admin.metrics().values().iterator().next();
        tell("registerMetricForSubscription", () -> { admin.registerMetricForSubscription((org.apache.kafka.common.metrics.KafkaMetric) metric); return "done"; });
        tell("unregisterMetricFromSubscription", () -> { admin.unregisterMetricFromSubscription((org.apache.kafka.common.metrics.KafkaMetric) metric); return "done"; });
        tell("clientInstanceId", () -> !admin.clientInstanceId(Duration.ofSeconds(10)).equals(Uuid.ZERO_UUID));
        tell("deleteTopics", () -> get(admin.deleteTopics(List.of(topic)).all()));
        tell("close", () -> { admin.close(Duration.ofSeconds(5)); return "done"; });
        Set<String> all = Arrays.stream(Admin.class.getMethods()).filter(m -> !Modifier.isStatic(m.getModifiers())).map(Method::getName).collect(Collectors.toCollection(TreeSet::new));
        all.removeAll(called);
        System.out.println("left-out " + all);
        System.out.flush();
        Runtime.getRuntime().halt(all.isEmpty() ? 0 : 1);
    }

    static void produce(String broker, String topic) throws Exception {
        Map<String, Object> config = Map.of("bootstrap.servers", broker);
        try (var producer = new KafkaProducer<>(config, new StringSerializer(), new StringSerializer())) {
            for (int i = 0; i < 5; i++) producer.send(new ProducerRecord<>(topic, 0, 1_700_000_000_000L + i, "k", "v" + i)).get();
        }
    }

    static void topics(Admin admin, String topic, TopicPartition first) {
        tell("listTopics", () -> new TreeSet<>(get(admin.listTopics().names())));
        tell("describeTopics", () -> {
            TopicDescription told = get(admin.describeTopics(List.of(topic), new DescribeTopicsOptions().includeAuthorizedOperations(true)).allTopicNames()).get(topic);
            return told.partitions().size() + " " + new TreeSet<>(told.authorizedOperations());
        });
        for (var spec : List.of(OffsetSpec.earliest(), OffsetSpec.latest(), OffsetSpec.maxTimestamp(), OffsetSpec.forTimestamp(1_700_000_000_002L), OffsetSpec.earliestLocal(), OffsetSpec.latestTiered()))
            tell("listOffsets." + spec.getClass().getSimpleName(), () -> get(admin.listOffsets(Map.of(first, spec)).partitionResult(first)).offset());
        tell("deleteRecords", () -> get(admin.deleteRecords(Map.of(first, RecordsToDelete.beforeOffset(2))).lowWatermarks().get(first)).lowWatermark());
        tell("electLeaders", () -> get(admin.electLeaders(ElectionType.PREFERRED, Set.of(first)).partitions()).get(first).map(e -> e.getClass().getSimpleName() + ": " + e.getMessage()));
        tell("electLeaders.all", () -> get(admin.electLeaders(ElectionType.UNCLEAN, null).partitions()));
        tell("alterPartitionReassignments", () -> get(admin.alterPartitionReassignments(Map.of(first, Optional.of(new NewPartitionReassignment(List.of(1))))).all()));
        tell("alterPartitionReassignments.none", () -> get(admin.alterPartitionReassignments(Map.of(first, Optional.empty())).all()));
        tell("listPartitionReassignments", () -> get(admin.listPartitionReassignments().reassignments()));
        tell("describeLogDirs", () -> get(admin.describeLogDirs(List.of(1)).allDescriptions()).get(1).values().stream().map(dir -> dir.replicaInfos().containsKey(first)).toList());
        TopicPartitionReplica replica = new TopicPartitionReplica(topic, 0, 1);
        tell("describeReplicaLogDirs", () -> get(admin.describeReplicaLogDirs(List.of(replica)).all()).get(replica).getCurrentReplicaOffsetLag());
        tell("alterReplicaLogDirs", () -> {
            String dir = get(admin.describeReplicaLogDirs(List.of(replica)).all()).get(replica).getCurrentReplicaLogDir();
            return get(admin.alterReplicaLogDirs(Map.of(replica, dir)).all());
        });
        tell("alterReplicaLogDirs.absent", () -> { get(admin.alterReplicaLogDirs(Map.of(replica, "/no/such/dir")).all()); return "?"; });
        tell("describeProducers", () -> get(admin.describeProducers(List.of(first)).all()).get(first).activeProducers().size());
    }

    static void configs(Admin admin, String topic) {
        var resources = new LinkedHashMap<ConfigResource, AlterConfigOp>();
        resources.put(new ConfigResource(ConfigResource.Type.TOPIC, topic), new AlterConfigOp(new ConfigEntry("retention.ms", "86400000"), AlterConfigOp.OpType.SET));
        resources.put(new ConfigResource(ConfigResource.Type.BROKER, "1"), new AlterConfigOp(new ConfigEntry("log.cleaner.backoff.ms", "16000"), AlterConfigOp.OpType.SET));
        resources.put(new ConfigResource(ConfigResource.Type.BROKER, ""), new AlterConfigOp(new ConfigEntry("message.max.bytes", "1048589"), AlterConfigOp.OpType.SET));
        resources.put(new ConfigResource(ConfigResource.Type.BROKER_LOGGER, "1"), new AlterConfigOp(new ConfigEntry("root", "WARN"), AlterConfigOp.OpType.SET));
        resources.put(new ConfigResource(ConfigResource.Type.CLIENT_METRICS, "subscription"), new AlterConfigOp(new ConfigEntry("interval.ms", "1000"), AlterConfigOp.OpType.SET));
        resources.put(new ConfigResource(ConfigResource.Type.GROUP, "group"), new AlterConfigOp(new ConfigEntry("consumer.session.timeout.ms", "50000"), AlterConfigOp.OpType.SET));
        resources.forEach((resource, change) -> {
            String type = resource.type().name();
            tell("incrementalAlterConfigs." + type, () -> get(admin.incrementalAlterConfigs(Map.of(resource, List.of(change))).all()));
            tell("describeConfigs." + type, () -> {
                ConfigEntry entry = get(admin.describeConfigs(List.of(resource)).all()).get(resource).get(change.configEntry().name());
                return entry.value() + " " + entry.source();
            });
        });
        tell("listConfigResources", () -> get(admin.listConfigResources(Set.of(ConfigResource.Type.TOPIC, ConfigResource.Type.BROKER, ConfigResource.Type.CLIENT_METRICS), new ListConfigResourcesOptions()).all()).stream().map(r -> r.type() + "=" + r.name()).filter(name -> !name.contains("__")).sorted().toList());
        tell("listClientMetricsResources", () -> get(admin.listClientMetricsResources().all()).stream().map(ClientMetricsResourceListing::name).toList());
    }

    static void groups(Admin admin, String broker, String topic, TopicPartition first) throws Exception {
        Map<String, Object> config = Map.of("bootstrap.servers", broker, "group.id", "group", "auto.offset.reset", "earliest", "enable.auto.commit", "false");
        try (var consumer = new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of(topic));
            long end = System.nanoTime() + 20_000_000_000L;
            while (consumer.poll(Duration.ofMillis(200)).isEmpty() && System.nanoTime() < end) { }
            consumer.commitSync();
            tell("describeClassicGroups", () -> get(admin.describeClassicGroups(List.of("group")).all()).get("group").state());
            tell("describeConsumerGroups", () -> get(admin.describeConsumerGroups(List.of("group")).all()).get("group").members().size());
            tell("deleteConsumerGroupOffsets.subscribed", () -> { get(admin.deleteConsumerGroupOffsets("group", Set.of(first)).all()); return "?"; });
            tell("removeMembersFromConsumerGroup", () -> get(admin.removeMembersFromConsumerGroup("group", new RemoveMembersFromConsumerGroupOptions()).all()));
        }
        tell("listConsumerGroups", () -> get(admin.listConsumerGroups().all()).stream().map(ConsumerGroupListing::groupId).toList());
        tell("listGroups", () -> get(admin.listGroups().all()).stream().map(GroupListing::groupId).toList());
        tell("listConsumerGroupOffsets", () -> get(admin.listConsumerGroupOffsets("group").partitionsToOffsetAndMetadata()).get(first).offset());
        tell("alterConsumerGroupOffsets", () -> get(admin.alterConsumerGroupOffsets("group", Map.of(first, new OffsetAndMetadata(3))).all()));
        tell("deleteConsumerGroupOffsets", () -> get(admin.deleteConsumerGroupOffsets("group", Set.of(first)).all()));
        tell("deleteConsumerGroups", () -> get(admin.deleteConsumerGroups(List.of("group")).all()));
        tell("listStreamsGroupOffsets", () -> get(admin.listStreamsGroupOffsets(Map.of("streams", new ListStreamsGroupOffsetsSpec())).all()));
        tell("alterStreamsGroupOffsets", () -> get(admin.alterStreamsGroupOffsets("streams", Map.of(first, new OffsetAndMetadata(1))).all()));
        tell("deleteStreamsGroupOffsets", () -> get(admin.deleteStreamsGroupOffsets("streams", Set.of(first)).all()));
        tell("deleteStreamsGroups", () -> get(admin.deleteStreamsGroups(List.of("streams")).all()));
        tell("describeStreamsGroups", () -> get(admin.describeStreamsGroups(List.of("none")).all()));
    }

    static void security(Admin admin) {
        AclBinding acl = new AclBinding(new ResourcePattern(ResourceType.TOPIC, "t", PatternType.LITERAL), new AccessControlEntry("User:a", "*", AclOperation.READ, AclPermissionType.ALLOW));
        tell("createAcls", () -> get(admin.createAcls(List.of(acl)).all()));
        tell("describeAcls", () -> get(admin.describeAcls(AclBindingFilter.ANY).values()));
        tell("deleteAcls", () -> get(admin.deleteAcls(List.of(AclBindingFilter.ANY)).all()));
        tell("createDelegationToken", () -> get(admin.createDelegationToken().delegationToken()));
        tell("renewDelegationToken", () -> get(admin.renewDelegationToken("x".getBytes(StandardCharsets.UTF_8)).expiryTimestamp()));
        tell("expireDelegationToken", () -> get(admin.expireDelegationToken("x".getBytes(StandardCharsets.UTF_8)).expiryTimestamp()));
        tell("describeDelegationToken", () -> get(admin.describeDelegationToken().delegationTokens()));
        tell("alterUserScramCredentials", () -> get(admin.alterUserScramCredentials(List.of(new UserScramCredentialUpsertion("alice", new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), "secret"))).all()));
        tell("describeUserScramCredentials", () -> get(admin.describeUserScramCredentials().all()));
        ClientQuotaEntity user = new ClientQuotaEntity(Map.of("user", "alice"));
        tell("alterClientQuotas", () -> get(admin.alterClientQuotas(List.of(new ClientQuotaAlteration(user, List.of(new ClientQuotaAlteration.Op("producer_byte_rate", 1e6))))).all()));
        tell("describeClientQuotas", () -> get(admin.describeClientQuotas(ClientQuotaFilter.all()).entities()));
    }

    static void cluster(Admin admin, TopicPartition first) {
        tell("describeCluster", () -> {
            var told = admin.describeCluster(new DescribeClusterOptions().includeAuthorizedOperations(true));
            return get(told.nodes()).size() + " " + new TreeSet<>(get(told.authorizedOperations()));
        });
        tell("describeFeatures", () -> new TreeMap<>(get(admin.describeFeatures().featureMetadata()).finalizedFeatures()).get("metadata.version"));
        tell("updateFeatures", () -> get(admin.updateFeatures(Map.of("metadata.version", new FeatureUpdate((short) 25, FeatureUpdate.UpgradeType.SAFE_DOWNGRADE)), new UpdateFeaturesOptions().validateOnly(true)).all()));
        tell("describeMetadataQuorum", () -> {
            QuorumInfo told = get(admin.describeMetadataQuorum().quorumInfo());
            return told.leaderId() + " " + told.voters().size() + " " + told.observers().size() + " " + (told.highWatermark() > 0);
        });
        tell("unregisterBroker", () -> get(admin.unregisterBroker(7).all()));
        tell("addRaftVoter", () -> get(admin.addRaftVoter(7, new Uuid(1, 2), Set.of(new RaftVoterEndpoint("CONTROLLER", "h", 5))).all()));
        tell("removeRaftVoter", () -> get(admin.removeRaftVoter(7, new Uuid(1, 2)).all()));
    }

    static void transactions(Admin admin, TopicPartition first) {
        tell("listTransactions", () -> get(admin.listTransactions().all()));
        tell("describeTransactions", () -> get(admin.describeTransactions(List.of("none")).all()));
        tell("fenceProducers", () -> get(admin.fenceProducers(List.of("fenced")).all()));
        tell("abortTransaction", () -> get(admin.abortTransaction(new AbortTransactionSpec(first, 12345, (short) 0, 0)).all()));
        tell("forceTerminateTransaction", () -> get(admin.forceTerminateTransaction("fenced").result()));
    }

    static void shares(Admin admin, String topic, TopicPartition first) {
        tell("describeShareGroups", () -> get(admin.describeShareGroups(List.of("none")).all()));
        tell("listShareGroupOffsets", () -> get(admin.listShareGroupOffsets(Map.of("share", new ListShareGroupOffsetsSpec())).all()));
        tell("alterShareGroupOffsets", () -> get(admin.alterShareGroupOffsets("share", Map.of(first, 1L)).all()));
        tell("deleteShareGroupOffsets", () -> get(admin.deleteShareGroupOffsets("share", Set.of(topic)).all()));
        tell("deleteShareGroups", () -> get(admin.deleteShareGroups(List.of("share")).all()));
    }
}
