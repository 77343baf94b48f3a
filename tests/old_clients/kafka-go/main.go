// kafka-go 0.4 as an old client (../README.md): before 0.4.48 it asks for JoinGroup v1, CreateTopics v0 and
// DeleteTopics v0, whatever the broker says it has.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
)

var codecs = map[string]kafka.Compression{"none": 0, "gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd}

func main() {
	broker, topic := os.Args[1], os.Args[2]
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	conn, err := kafka.DialContext(ctx, "tcp", broker)
	check(err)
	check(conn.CreateTopics(kafka.TopicConfig{Topic: topic, NumPartitions: 2, ReplicationFactor: 1}))
	fmt.Println("created")
	number := 0
	for _, codec := range strings.Split(os.Args[3], ",") {
		write(ctx, broker, topic, codec, &number)
	}
	fmt.Println("ready")
	input, err := io.ReadAll(os.Stdin)
	check(err)
	words := strings.Fields(string(input))
	count, err := strconv.Atoi(words[len(words)-1])
	check(err)
	group(ctx, broker, topic, count)
	committed(ctx, broker, topic)
	check(conn.DeleteTopics(topic))
	fmt.Println("deleted")
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "kafka-go:", err)
		os.Exit(1)
	}
}

// write goes through the low-level connection, which alone tells the offsets.
func write(ctx context.Context, broker, topic, codec string, number *int) {
	batches := [2][]kafka.Message{}
	for n := 0; n < 40; n++ {
		key, value := fmt.Sprintf("k%d", *number), fmt.Sprintf("%s %d %s", codec, n, strings.Repeat("again and again ", n))
		batches[n%2] = append(batches[n%2], kafka.Message{Key: []byte(key), Value: []byte(value)})
		*number++
	}
	for partition, batch := range batches {
		var with kafka.CompressionCodec
		if codec != "none" {
			with = codecs[codec].Codec()
		}
		offset, err := writeBatch(ctx, broker, topic, partition, with, batch)
		for errors.Is(err, kafka.NotLeaderForPartition) && ctx.Err() == nil { // the topic is new
			offset, err = writeBatch(ctx, broker, topic, partition, with, batch)
		}
		check(err)
		for i, m := range batch {
			fmt.Printf("wrote %d %d %s\t%s\n", partition, offset+int64(i), m.Key, m.Value)
		}
	}
}

func writeBatch(ctx context.Context, broker, topic string, partition int, with kafka.CompressionCodec, batch []kafka.Message) (int64, error) {
	conn, err := kafka.DialLeader(ctx, "tcp", broker, topic, partition)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	_, _, offset, _, err := conn.WriteCompressedMessagesAt(with, batch...)
	return offset, err
}

func member(broker, topic string) *kafka.ConsumerGroup {
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: topic + "-group", Brokers: []string{broker}, Topics: []string{topic}, StartOffset: kafka.FirstOffset,
		HeartbeatInterval: 300 * time.Millisecond, SessionTimeout: 10 * time.Second,
	})
	check(err)
	return group
}

// group reads everything as one member, commits, and lets a second member in.
func group(ctx context.Context, broker, topic string, count int) {
	first := member(broker, topic)
	generation, err := first.Next(ctx)
	check(err)
	next := map[int]int64{}
	for _, assigned := range generation.Assignments[topic] {
		reader := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{broker}, Topic: topic, Partition: assigned.ID, MaxWait: 200 * time.Millisecond})
		check(reader.SetOffset(assigned.Offset))
		for half := count / 2; half > 0; half-- {
			m, err := reader.ReadMessage(ctx)
			check(err)
			fmt.Printf("read %d %d %s\t%s\n", m.Partition, m.Offset, m.Key, m.Value)
			next[m.Partition] = m.Offset + 1
		}
		check(reader.Close())
	}
	check(generation.CommitOffsets(map[string]map[int]int64{topic: next}))
	second := member(broker, topic)
	owned := make(chan [2]int)
	for i, m := range []*kafka.ConsumerGroup{first, second} {
		go watch(ctx, topic, i, m, owned)
	}
	each := [2]int{2, 0}
	for each != [2]int{1, 1} {
		select {
		case told := <-owned:
			each[told[0]] = told[1]
		case <-ctx.Done():
			check(ctx.Err())
		}
	}
	fmt.Println("balanced")
	check(first.Close())
	check(second.Close())
}

// watch tells how many partitions member i owns in each generation.
func watch(ctx context.Context, topic string, i int, m *kafka.ConsumerGroup, owned chan<- [2]int) {
	for {
		generation, err := m.Next(ctx)
		if err != nil {
			return
		}
		select {
		case owned <- [2]int{i, len(generation.Assignments[topic])}:
		case <-ctx.Done():
			return
		}
	}
}

func committed(ctx context.Context, broker, topic string) {
	address, err := net.ResolveTCPAddr("tcp", broker)
	check(err)
	client := kafka.Client{Addr: address}
	answer, err := client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: topic + "-group", Topics: map[string][]int{topic: {0, 1}}})
	check(err)
	for _, p := range answer.Topics[topic] {
		check(p.Error)
		fmt.Printf("committed %d %d\n", p.Partition, p.CommittedOffset)
	}
}
