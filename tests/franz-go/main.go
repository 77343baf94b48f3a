// franz-go as a program that the scenarios drive: what it does is told on the command line, what it saw
// is one line each on standard output. Lines of records are `key TAB value`, an absent key is `-`.
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"hash"
	"os"
	"sort"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const deadline = 120 * time.Second

var (
	brokers = flag.String("brokers", "127.0.0.1:9092", "host:port of a broker")
	topic   = flag.String("topic", "", "the topic")
	codec   = flag.String("codec", "", "none, gzip, snappy, lz4 or zstd; empty: the client's own default")
	group   = flag.String("group", "", "consume as a member of this group and commit")
	digest  = flag.Bool("digest", false, "consume: print `partition count sha256` instead of the records")
)

func main() {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("produce or consume?"))
	}
	verb := os.Args[1]
	if err := flag.CommandLine.Parse(os.Args[2:]); err != nil {
		fail(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	var err error
	switch verb {
	case "produce":
		err = produce(ctx)
	case "consume":
		err = consume(ctx)
	default:
		err = fmt.Errorf("produce or consume, not %s", verb)
	}
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "franz-go:", err)
	os.Exit(1)
}

func codecOf(name string) kgo.CompressionCodec {
	switch name {
	case "none":
		return kgo.NoCompression()
	case "gzip":
		return kgo.GzipCompression()
	case "snappy":
		return kgo.SnappyCompression()
	case "lz4":
		return kgo.Lz4Compression()
	case "zstd":
		return kgo.ZstdCompression()
	}
	fail(fmt.Errorf("no codec %q", name))
	return kgo.NoCompression()
}

// produce writes the records of standard input and prints each acknowledgement.
func produce(ctx context.Context) error {
	options := []kgo.Opt{kgo.SeedBrokers(*brokers), kgo.DefaultProduceTopic(*topic)}
	if *codec != "" {
		options = append(options, kgo.ProducerBatchCompression(codecOf(*codec)))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	defer client.Close()
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	var lock sync.Mutex
	var failed error
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) == 0 && err != nil {
			break
		}
		key, value, found := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte("\t"))
		if !found {
			return fmt.Errorf("a record is key TAB value, not %q", line)
		}
		if bytes.Equal(key, []byte("-")) {
			key = nil
		}
		client.Produce(ctx, &kgo.Record{Key: key, Value: value}, func(r *kgo.Record, err error) {
			lock.Lock()
			defer lock.Unlock()
			if err != nil {
				failed = err
				return
			}
			out.Write(recordLine(r))
		})
	}
	if err := client.Flush(ctx); err != nil {
		return err
	}
	lock.Lock()
	defer lock.Unlock()
	return failed
}

func recordLine(r *kgo.Record) []byte {
	line := fmt.Appendf(nil, "%d %d ", r.Partition, r.Offset)
	return append(line, keyAndValue(r)...)
}

func keyAndValue(r *kgo.Record) []byte {
	key := r.Key
	if key == nil {
		key = []byte("-")
	}
	return fmt.Appendf(nil, "%s\t%s\n", key, r.Value)
}

// ends asks for the present end of each partition of the topic.
func ends(ctx context.Context, client *kgo.Client) (map[int32]int64, error) {
	meta := kmsg.NewPtrMetadataRequest()
	asked := kmsg.NewMetadataRequestTopic()
	asked.Topic = topic
	meta.Topics = append(meta.Topics, asked)
	described, err := meta.RequestWith(ctx, client)
	if err != nil {
		return nil, err
	}
	offsets := kmsg.NewPtrListOffsetsRequest()
	of := kmsg.NewListOffsetsRequestTopic()
	of.Topic = *topic
	for _, p := range described.Topics[0].Partitions {
		partition := kmsg.NewListOffsetsRequestTopicPartition()
		partition.Partition = p.Partition
		partition.Timestamp = -1
		of.Partitions = append(of.Partitions, partition)
	}
	offsets.Topics = append(offsets.Topics, of)
	found := map[int32]int64{}
	for _, shard := range client.RequestSharded(ctx, offsets) {
		if shard.Err != nil {
			return nil, shard.Err
		}
		for _, t := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics {
			for _, p := range t.Partitions {
				if p.ErrorCode != 0 {
					return nil, fmt.Errorf("ListOffsets of partition %d: error %d", p.Partition, p.ErrorCode)
				}
				found[p.Partition] = p.Offset
			}
		}
	}
	return found, nil
}

type partitionDigest struct {
	count int
	sha   hash.Hash
}

// consume reads all that the topic holds now; with a group it commits that too.
func consume(ctx context.Context) error {
	options := []kgo.Opt{
		kgo.SeedBrokers(*brokers), kgo.ConsumeTopics(*topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	}
	if *group != "" {
		options = append(options, kgo.ConsumerGroup(*group), kgo.DisableAutoCommit())
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	defer client.Close()
	open, err := ends(ctx, client)
	if err != nil {
		return err
	}
	digests := map[int32]*partitionDigest{}
	for partition, end := range open {
		digests[partition] = &partitionDigest{sha: sha256.New()}
		if end == 0 {
			delete(open, partition)
		}
	}
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for len(open) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("%w; still open: %v", err, open)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			end, wanted := open[r.Partition]
			if !wanted {
				return
			}
			if *digest {
				digests[r.Partition].count++
				digests[r.Partition].sha.Write(keyAndValue(r))
			} else {
				out.Write(recordLine(r))
			}
			if r.Offset+1 >= end {
				delete(open, r.Partition)
			}
		})
	}
	if *group != "" {
		if err := client.CommitUncommittedOffsets(ctx); err != nil {
			return err
		}
	}
	if *digest {
		var order []int
		for partition := range digests {
			order = append(order, int(partition))
		}
		sort.Ints(order)
		for _, partition := range order {
			d := digests[int32(partition)]
			fmt.Fprintf(out, "%d %d %x\n", partition, d.count, d.sha.Sum(nil))
		}
	}
	return nil
}
