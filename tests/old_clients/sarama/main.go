// sarama 1.29 as an old client (../README.md): with the protocol of Kafka 2.1, below which it has no zstd.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/Shopify/sarama"
)

var codecs = map[string]sarama.CompressionCodec{"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy, "lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD}

func main() {
	broker, topic := os.Args[1], os.Args[2]
	time.AfterFunc(90*time.Second, func() { check(fmt.Errorf("late")) })
	admin, err := sarama.NewClusterAdmin([]string{broker}, config())
	check(err)
	check(admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 1}, false))
	fmt.Println("created")
	number := 0
	for _, codec := range strings.Split(os.Args[3], ",") {
		write(broker, topic, codec, &number)
	}
	fmt.Println("ready")
	input, err := io.ReadAll(os.Stdin)
	check(err)
	words := strings.Fields(string(input))
	count, err := strconv.Atoi(words[len(words)-1])
	check(err)
	group(broker, topic, count)
	offsets, err := admin.ListConsumerGroupOffsets(topic+"-group", map[string][]int32{topic: {0, 1}})
	check(err)
	for partition := int32(0); partition < 2; partition++ {
		fmt.Printf("committed %d %d\n", partition, offsets.GetBlock(topic, partition).Offset)
	}
	check(admin.DeleteTopic(topic))
	fmt.Println("deleted")
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "sarama:", err)
		os.Exit(1)
	}
}

func config() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.V2_1_0_0
	config.Producer.Return.Successes = true
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	config.Consumer.Group.Heartbeat.Interval = 300 * time.Millisecond
	return config
}

func write(broker, topic, codec string, number *int) {
	with := config()
	with.Producer.Compression = codecs[codec]
	producer, err := sarama.NewSyncProducer([]string{broker}, with)
	check(err)
	var messages []*sarama.ProducerMessage
	for n := 0; n < 40; n++ {
		key, value := fmt.Sprintf("k%d", *number), fmt.Sprintf("%s %d %s", codec, n, strings.Repeat("again and again ", n))
		messages = append(messages, &sarama.ProducerMessage{Topic: topic, Partition: int32(n % 2), Key: sarama.StringEncoder(key), Value: sarama.StringEncoder(value)})
		*number++
	}
	check(producer.SendMessages(messages))
	for _, m := range messages {
		fmt.Printf("wrote %d %d %s\t%s\n", m.Partition, m.Offset, m.Key, m.Value)
	}
	check(producer.Close())
}

// A member counts what it owns in each generation; the first one reads and commits.
type member struct {
	sync.Mutex
	owned  int
	toRead int
	read   chan struct{}
}

func (m *member) Setup(session sarama.ConsumerGroupSession) error {
	m.Lock()
	defer m.Unlock()
	m.owned = 0
	for _, partitions := range session.Claims() {
		m.owned += len(partitions)
	}
	return nil
}

func (m *member) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (m *member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		m.Lock()
		fmt.Printf("read %d %d %s\t%s\n", message.Partition, message.Offset, message.Key, message.Value)
		session.MarkMessage(message, "")
		m.toRead--
		if m.toRead == 0 {
			session.Commit()
			close(m.read)
		}
		m.Unlock()
	}
	return nil
}

func (m *member) has() int {
	m.Lock()
	defer m.Unlock()
	return m.owned
}

func join(ctx context.Context, broker, topic string, toRead int) (*member, sarama.ConsumerGroup) {
	group, err := sarama.NewConsumerGroup([]string{broker}, topic+"-group", config())
	check(err)
	m := &member{toRead: toRead, read: make(chan struct{})}
	go func() {
		for ctx.Err() == nil {
			_ = group.Consume(ctx, []string{topic}, m) // ends with each generation
		}
	}()
	return m, group
}

func group(broker, topic string, count int) {
	ctx, cancel := context.WithCancel(context.Background())
	first, one := join(ctx, broker, topic, count)
	<-first.read
	second, two := join(ctx, broker, topic, -1)
	for first.has() != 1 || second.has() != 1 {
		time.Sleep(20 * time.Millisecond)
	}
	fmt.Println("balanced")
	cancel()
	check(one.Close())
	check(two.Close())
}
