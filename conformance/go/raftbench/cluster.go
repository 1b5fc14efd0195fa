package main

import (
	"io"
	"log"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// What a proposal carries, shared by all of them.
var payload = make([]byte, 256)

// Entries that stay in a log when it is cut.
const keptEntries = 1024

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func check(condition bool, what string) {
	if !condition {
		panic("benchmark is broken: " + what)
	}
}

// node is one voter, stored in memory.
type node struct {
	storage *raft.MemoryStorage
	raw     *raft.RawNode
	applied int
}

func newNode(id uint64, voters []uint64, electionTick int) *node {
	storage := raft.NewMemoryStorage()
	must(storage.ApplySnapshot(&raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{
		ConfState: &raftpb.ConfState{Voters: voters},
		Index:     new(uint64(1)),
		Term:      new(uint64(1)),
	}}))
	// The settings of a server.
	raw, err := raft.NewRawNode(&raft.Config{
		ID:                        id,
		ElectionTick:              electionTick,
		HeartbeatTick:             1,
		Storage:                   storage,
		MaxSizePerMsg:             512 << 10,
		MaxUncommittedEntriesSize: 512 << 20,
		MaxInflightMsgs:           512,
		CheckQuorum:               true,
		PreVote:                   true,
		Logger:                    &raft.DefaultLogger{Logger: log.New(io.Discard, "", 0)},
	})
	must(err)
	return &node{storage: storage, raw: raw}
}

// carryOut does what a Ready asks for, in its order.
func (n *node) carryOut(ready raft.Ready, send func(*raftpb.Message)) {
	must(n.storage.Append(ready.Entries))
	if !raft.IsEmptyHardState(ready.HardState) {
		must(n.storage.SetHardState(ready.HardState))
	}
	for _, message := range ready.Messages {
		send(message)
	}
	n.applied += len(ready.CommittedEntries)
	n.raw.Advance(ready)
}

// work tells whether there was anything to do.
func (n *node) work(send func(*raftpb.Message)) bool {
	if !n.raw.HasReady() {
		return false
	}
	n.carryOut(n.raw.Ready(), send)
	return true
}

func (n *node) compact() {
	first, err := n.storage.FirstIndex()
	must(err)
	if last := n.lastIndex(); last-first > 2*keptEntries {
		must(n.storage.Compact(last - keptEntries))
	}
}

func (n *node) lastIndex() uint64 {
	last, err := n.storage.LastIndex()
	must(err)
	return last
}

func drop(*raftpb.Message) {}

// cluster is a group of voters from 1 on. The first leads.
type cluster struct {
	nodes  []*node
	leader *node
}

func newCluster(size, electionTick int) *cluster {
	ids := make([]uint64, size)
	for i := range ids {
		ids[i] = uint64(i + 1)
	}
	c := &cluster{}
	for _, id := range ids {
		c.nodes = append(c.nodes, newNode(id, ids, electionTick))
	}
	c.leader = c.nodes[0]
	must(c.leader.raw.Campaign())
	c.settle()
	check(c.leader.raw.BasicStatus().Lead == 1, "the first node does not lead")
	return c
}

func (c *cluster) send(message *raftpb.Message) {
	must(c.nodes[message.GetTo()-1].raw.Step(message))
}

// settle goes on until nobody has anything to do.
func (c *cluster) settle() {
	for busy := true; busy; {
		busy = false
		for _, n := range c.nodes {
			if n.work(c.send) {
				busy = true
			}
		}
	}
}

func (c *cluster) compact() {
	for _, n := range c.nodes {
		n.compact()
	}
}
