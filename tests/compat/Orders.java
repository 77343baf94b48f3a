// An application of Kafka Streams that the scenario starts, kills and starts again.
//   java -cp 'JARS/*' Orders.java HOST:PORT STATE_DIR GUARANTEE PROTOCOL
// orders: `order id -> customer|currency|amount`; payments: `order id -> any`. It prints `RUNNING` when it is, answers
// each line `total CUSTOMER` of its input with `total CUSTOMER SUM` from its store, and closes at the end of its input.

import java.io.*;
import java.time.Duration;
import java.util.*;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.errors.InvalidStateStoreException;
import org.apache.kafka.streams.kstream.*;
import org.apache.kafka.streams.processor.api.*;
import org.apache.kafka.streams.state.*;

public class Orders {
    static final PrintStream OUT = new PrintStream(new FileOutputStream(FileDescriptor.out), true);

    public static void main(String[] args) throws Exception {
        Properties config = new Properties();
        config.put("application.id", "orders-app");
        config.put("bootstrap.servers", args[0]);
        config.put("state.dir", args[1]);
        config.put("processing.guarantee", args[2]);
        config.put("num.stream.threads", "2");
        config.put("commit.interval.ms", "200");
        config.put("replication.factor", "1");
        config.put("default.key.serde", Serdes.StringSerde.class.getName());
        config.put("default.value.serde", Serdes.StringSerde.class.getName());
        config.put("group.protocol", args[3]);
        if (args[3].equals("classic")) {
            config.put("consumer.session.timeout.ms", "6000");
            config.put("consumer.heartbeat.interval.ms", "500");
        }
        config.put("consumer.auto.offset.reset", "earliest");
        KafkaStreams streams = new KafkaStreams(topology(), config);
        streams.setUncaughtExceptionHandler(e -> {
            e.printStackTrace();
            return org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.setStateListener((now, before) -> OUT.println(now));
        streams.start();
        var in = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = in.readLine()) != null; ) {
            String customer = line.split(" ")[1];
            OUT.println("total " + customer + " " + total(streams, customer));
        }
        OUT.println(streams.close(Duration.ofSeconds(60)) ? "closed" : "not closed");
        Runtime.getRuntime().halt(0);
    }

    /** Interactive query; the store moves while tasks do. */
    static Long total(KafkaStreams streams, String customer) throws Exception {
        for (int i = 0; i < 300; i++) {
            try {
                ReadOnlyKeyValueStore<String, Long> store =
                    streams.store(StoreQueryParameters.fromNameAndType("totals", QueryableStoreTypes.keyValueStore()));
                return store.get(customer);
            } catch (InvalidStateStoreException e) {
                Thread.sleep(100);
            }
        }
        return null;
    }

    static String part(String order, int n) {
        return order.split("\\|")[n];
    }

    static Topology topology() {
        var builder = new StreamsBuilder();
        KStream<String, String> orders = builder.stream("orders");
        KTable<String, String> customers = builder.table("customers");
        GlobalKTable<String, String> rates = builder.globalTable("rates");

        // KTable by aggregation, over a repartition topic.
        orders.groupBy((id, order) -> part(order, 0))
            .aggregate(() -> 0L, (customer, order, sum) -> sum + Long.parseLong(part(order, 2)),
                Materialized.<String, Long, KeyValueStore<org.apache.kafka.common.utils.Bytes, byte[]>>as("totals").withValueSerde(Serdes.Long()))
            .toStream().mapValues(String::valueOf).to("totals-out");
        // Windows.
        orders.groupBy((id, order) -> part(order, 1))
            .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofMinutes(1), Duration.ofDays(1)))
            .count(Materialized.as("windows"))
            .toStream().map((at, count) -> KeyValue.pair(at.key() + "@" + at.window().start(), "" + count)).to("windows-out");
        // Joins: with a KTable, a GlobalKTable, another stream.
        orders.map((id, order) -> KeyValue.pair(part(order, 0), id))
            .join(customers, (id, name) -> id + " of " + name).to("joined-out");
        orders.join(rates, (id, order) -> part(order, 1), (order, rate) -> part(order, 2) + "*" + rate).to("converted-out");
        KStream<String, String> payments = builder.stream("payments");
        orders.join(payments, (order, payment) -> payment, JoinWindows.ofTimeDifferenceAndGrace(Duration.ofHours(1), Duration.ofHours(1)))
            .to("paid-out");
        // Processor API with a store of its own.
        builder.addStateStore(Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore("seen"), Serdes.String(), Serdes.Integer()));
        orders.process(Counting::new, "seen").to("processed-out");
        return builder.build();
    }

    static class Counting implements Processor<String, String, String, String> {
        private ProcessorContext<String, String> context;
        private KeyValueStore<String, Integer> seen;

        @Override
        public void init(ProcessorContext<String, String> context) {
            this.context = context;
            seen = context.getStateStore("seen");
        }

        @Override
        public void process(org.apache.kafka.streams.processor.api.Record<String, String> record) {
            Integer before = seen.get(record.key());
            int count = before == null ? 1 : before + 1;
            seen.put(record.key(), count);
            context.forward(record.withValue("time " + count));
        }
    }
}
