// Command filecheck reads what members keep on disk by etcd's own packages and prints what it found, for comparisons. Each line of its
// input asks for one thing, each line of its output answers with a JSON object:
//
//	wal DIRECTORY INDEX TERM     the log behind the snapshot of that index and term, as a member reads it at its start
//	snap FILE                    a snapshot file
//	bbolt FILE                   a database: bbolt's check, and how many pairs all buckets hold
//
// `error` is empty when it could be read. `digest` is the SHA-256 of all entries, or of the snapshot's data.
package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.uber.org/zap"

	"go.etcd.io/etcd/server/v3/etcdserver/api/snap"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
)

type answer struct {
	Error   string `json:"error"`
	Entries int    `json:"entries"`
	Index   uint64 `json:"index"`
	Term    uint64 `json:"term"`
	Vote    string `json:"vote"`
	Commit  uint64 `json:"commit"`
	Voters  int    `json:"voters"`
	Digest  string `json:"digest"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<16), 1<<20)
	output := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		if err := output.Encode(answerTo(strings.Split(lines.Text(), " "))); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// answerTo never panics: a reader that does is an answer, too.
func answerTo(words []string) (found answer) {
	defer func() {
		if reason := recover(); reason != nil {
			found = answer{Error: fmt.Sprint("panic: ", reason)}
		}
	}()
	var err error
	switch {
	case words[0] == "wal" && len(words) == 4:
		found, err = readLog(words[1], words[2], words[3])
	case words[0] == "snap" && len(words) == 2:
		found, err = readSnapshot(words[1])
	case words[0] == "bbolt" && len(words) == 2:
		found, err = checkDatabase(words[1])
	default:
		err = fmt.Errorf("no such question: %q", words)
	}
	if err != nil {
		return answer{Error: err.Error()}
	}
	return found
}

func readLog(directory, indexText, termText string) (answer, error) {
	index, err := strconv.ParseUint(indexText, 10, 64)
	if err != nil {
		return answer{}, err
	}
	term, err := strconv.ParseUint(termText, 10, 64)
	if err != nil {
		return answer{}, err
	}
	log, err := wal.OpenForRead(zap.NewNop(), directory, &walpb.Snapshot{Index: &index, Term: &term})
	if err != nil {
		return answer{}, err
	}
	defer log.Close()
	_, state, entries, err := log.ReadAll()
	if err != nil {
		return answer{}, err
	}
	digest := sha256.New()
	last := index
	for _, entry := range entries {
		last = entry.GetIndex()
		fmt.Fprintf(digest, "%d %d %d %d\n", entry.GetTerm(), last, int32(entry.GetType()), len(entry.GetData()))
		digest.Write(entry.GetData())
	}
	return answer{
		Entries: len(entries),
		Index:   last,
		Term:    state.GetTerm(),
		Vote:    strconv.FormatUint(state.GetVote(), 10),
		Commit:  state.GetCommit(),
		Digest:  hex.EncodeToString(digest.Sum(nil)),
	}, nil
}

func readSnapshot(path string) (answer, error) {
	snapshot, err := snap.Read(zap.NewNop(), path)
	if err != nil {
		return answer{}, err
	}
	metadata := snapshot.GetMetadata()
	digest := sha256.Sum256(snapshot.GetData())
	return answer{
		Index:  metadata.GetIndex(),
		Term:   metadata.GetTerm(),
		Voters: len(metadata.GetConfState().GetVoters()),
		Digest: hex.EncodeToString(digest[:]),
	}, nil
}

func checkDatabase(path string) (answer, error) {
	database, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return answer{}, err
	}
	defer database.Close()
	pairs := 0
	err = database.View(func(tx *bolt.Tx) error {
		var first error
		for problem := range tx.Check() {
			if first == nil {
				first = problem
			}
		}
		if first != nil {
			return first
		}
		return tx.ForEach(func(_ []byte, bucket *bolt.Bucket) error {
			return countPairs(bucket, &pairs)
		})
	})
	return answer{Entries: pairs}, err
}

func countPairs(bucket *bolt.Bucket, pairs *int) error {
	return bucket.ForEach(func(key, value []byte) error {
		if value != nil {
			*pairs++
			return nil
		}
		return countPairs(bucket.Bucket(key), pairs)
	})
}
