// A word count of Kafka Streams as a streams group (KIP-1071): a repartition topic, a changelog, exactly once.
//   java -cp 'JARS/*' StreamsGroups.java HOST:PORT APPLICATION STATE_DIR ADVERTISED_PORT
// It reads `words` and writes `counts`, prints each state it comes to, answers a line `where WORD` of its input with
// `where WORD ACTIVE STANDBYS` (ports of the instances that have the word's count), and closes at the end of its input.

import java.io.*;
import java.time.Duration;
import java.util.*;
import java.util.stream.Collectors;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;
import org.apache.kafka.streams.state.*;

public class StreamsGroups {
    static final PrintStream OUT = new PrintStream(new FileOutputStream(FileDescriptor.out), true);

    public static void main(String[] args) throws Exception {
        Properties config = new Properties();
        config.put("bootstrap.servers", args[0]);
        config.put("application.id", args[1]);
        config.put("state.dir", args[2]);
        config.put("application.server", "127.0.0.1:" + args[3]);
        config.put("client.id", "instance-" + args[3]);
        config.put("group.protocol", "streams");
        config.put("processing.guarantee", "exactly_once_v2");
        config.put("commit.interval.ms", "100");
        config.put("producer.transaction.timeout.ms", "3000");
        config.put("replication.factor", "1");
        config.put("consumer.auto.offset.reset", "earliest");
        config.put("default.key.serde", Serdes.StringSerde.class.getName());
        config.put("default.value.serde", Serdes.StringSerde.class.getName());
        config.put("dsl.store.suppliers.class", BuiltInDslStoreSuppliers.InMemoryDslStoreSuppliers.class.getName());
        var builder = new StreamsBuilder();
        builder.<String, String>stream("words")
            .flatMapValues(line -> List.of(line.split(" ")))
            .groupBy((key, word) -> word)
            .count(Materialized.as("counted"))
            .toStream().mapValues(count -> "" + count).to("counts");
        KafkaStreams streams = new KafkaStreams(builder.build(), config);
        streams.setUncaughtExceptionHandler(e -> {
            OUT.println("FAILED " + e);
            return org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse.REPLACE_THREAD;
        });
        streams.setStateListener((now, before) -> OUT.println(now));
        streams.start();
        var in = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = in.readLine()) != null; ) {
            String word = line.split(" ")[1];
            KeyQueryMetadata at = streams.queryMetadataForKey("counted", word, Serdes.String().serializer());
            String standbys = at.standbyHosts().stream().map(host -> "" + host.port()).sorted().collect(Collectors.joining(","));
            OUT.println("where " + word + " " + at.activeHost().port() + " " + (standbys.isEmpty() ? "-" : standbys));
        }
        OUT.println(streams.close(Duration.ofSeconds(60)) ? "closed" : "not closed");
        Runtime.getRuntime().halt(0);
    }
}
