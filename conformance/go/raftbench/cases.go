package main

import (
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
)

// state is what a case measures: run does so many operations and is timed, prepare goes before each run and is not.
type state struct {
	operations int
	prepare    func()
	run        func()
}

const electionTick = 10

// The cases of packages/raft/bench/cases.mjs, by name.
var cases = map[string]func() state{
	"propose-3x1":     func() state { return proposals(3, 1, proposeEach) },
	"propose-3x256":   func() state { return proposals(3, 256, proposeEach) },
	"batch-3x256":     func() state { return proposals(3, 256, proposeBatch) },
	"propose-1x1":     func() state { return proposals(1, 1, proposeEach) },
	"propose-1x256":   func() state { return proposals(1, 256, proposeEach) },
	"batch-1x256":     func() state { return proposals(1, 256, proposeBatch) },
	"step-app":        stepAppends,
	"step-app-resp":   stepAcknowledgements,
	"ready-none":      hasNoReady,
	"ready-empty":     emptyReadies,
	"ready-small":     func() state { return filledReadies(256, fillWithOne) },
	"ready-large":     func() state { return filledReadies(32, fillWithMany) },
	"groups-tick":     tickGroups,
	"groups-leader":   tickLeaders,
	"groups-follower": tickFollowers,
	"status":          readStatus,
	"basic-status":    readBasicStatus,
	"progress":        readProgress,
}

const groupCount = 1000

// What computed values go to, so that computing them is not optimized away.
var (
	sinkReady       raft.Ready
	sinkStatus      raft.Status
	sinkBasicStatus raft.BasicStatus
	sinkMatches     uint64
)

func proposals(size, inFlight int, propose func(*raft.RawNode, int)) state {
	const operations = 1024
	c := newCluster(size, electionTick)
	before := make([]int, size)
	return state{operations: operations, run: func() {
		for i, n := range c.nodes {
			before[i] = n.applied
		}
		for done := 0; done < operations; done += inFlight {
			propose(c.leader.raw, inFlight)
			c.settle()
		}
		c.compact()
		for i, n := range c.nodes {
			check(n.applied-before[i] == operations, "a proposal is lost")
		}
	}}
}

func proposeEach(raw *raft.RawNode, count int) {
	for range count {
		must(raw.Propose(payload))
	}
}

// The entries must be new ones: the leader writes terms and indexes into them.
func proposeBatch(raw *raft.RawNode, count int) {
	entries := make([]*raftpb.Entry, count)
	for i := range entries {
		entries[i] = &raftpb.Entry{Data: payload}
	}
	must(raw.Step(&raftpb.Message{Type: raftpb.MsgProp.Enum(), From: new(uint64(1)), Entries: entries}))
}

func stepAppends() state {
	const operations = 256
	follower := newCluster(3, electionTick).nodes[1]
	term := follower.raw.BasicStatus().GetTerm()
	messages := make([]*raftpb.Message, operations)
	return state{
		operations: operations,
		prepare: func() {
			for follower.work(drop) {
			}
			follower.compact()
			last := follower.lastIndex()
			for i := range messages {
				index := last + uint64(i)
				messages[i] = &raftpb.Message{
					Type:    raftpb.MsgApp.Enum(),
					From:    new(uint64(1)),
					To:      new(uint64(2)),
					Term:    new(term),
					LogTerm: new(term),
					Index:   new(index),
					Entries: []*raftpb.Entry{{
						Term:  new(term),
						Index: new(index + 1),
						Type:  raftpb.EntryNormal.Enum(),
						Data:  payload,
					}},
					Commit: new(index),
				}
			}
		},
		run: func() {
			for _, message := range messages {
				must(follower.raw.Step(message))
			}
		},
	}
}

func stepAcknowledgements() state {
	const entries = 256
	leader := newCluster(3, electionTick).leader
	term := leader.raw.BasicStatus().GetTerm()
	messages := make([]*raftpb.Message, 0, 2*entries)
	return state{
		operations: 2 * entries,
		prepare: func() {
			for leader.work(drop) {
			}
			leader.compact()
			last := leader.lastIndex()
			check(leader.raw.BasicStatus().GetCommit() == last, "acknowledged and not committed")
			proposeEach(leader.raw, entries)
			leader.work(drop)
			messages = messages[:0]
			for index := last + 1; index <= last+entries; index++ {
				for from := uint64(2); from <= 3; from++ {
					messages = append(messages, &raftpb.Message{
						Type:  raftpb.MsgAppResp.Enum(),
						From:  new(from),
						To:    new(uint64(1)),
						Term:  new(term),
						Index: new(index),
					})
				}
			}
		},
		run: func() {
			for _, message := range messages {
				must(leader.raw.Step(message))
			}
		},
	}
}

func hasNoReady() state {
	const operations = 8192
	raw := newCluster(3, electionTick).leader.raw
	return state{operations: operations, run: func() {
		for range operations {
			check(!raw.HasReady(), "an idle node has something to do")
		}
	}}
}

func emptyReadies() state {
	const operations = 2048
	raw := newCluster(3, electionTick).leader.raw
	return state{operations: operations, run: func() {
		for range operations {
			sinkReady = raw.Ready()
			raw.Advance(sinkReady)
		}
	}}
}

func filledReadies(count int, fill func(*cluster)) state {
	clusters := make([]*cluster, count)
	for i := range clusters {
		clusters[i] = newCluster(3, electionTick)
	}
	readies := make([]raft.Ready, count)
	handedOut := false
	return state{
		operations: count,
		prepare: func() {
			for i, c := range clusters {
				if handedOut {
					c.leader.carryOut(readies[i], c.send)
				}
				c.settle()
				c.compact()
				fill(c)
			}
			handedOut = true
		},
		run: func() {
			for i, c := range clusters {
				readies[i] = c.leader.raw.Ready()
			}
		},
	}
}

func fillWithOne(c *cluster) {
	must(c.leader.raw.Propose(payload))
}

func fillWithMany(c *cluster) {
	proposeBatch(c.leader.raw, 1000)
	for _, n := range c.nodes {
		n.work(c.send)
	}
	proposeBatch(c.leader.raw, 1000)
}

func makeGroups(electionTick int) []*cluster {
	groups := make([]*cluster, groupCount)
	for i := range groups {
		groups[i] = newCluster(3, electionTick)
	}
	return groups
}

func tickGroups() state {
	groups := makeGroups(electionTick)
	return state{operations: groupCount, run: func() {
		for _, group := range groups {
			for _, n := range group.nodes {
				n.raw.Tick()
			}
			group.settle()
		}
		check(groups[0].leader.raw.BasicStatus().Lead == 1, "a leader is lost")
	}}
}

func tickLeaders() state {
	groups := makeGroups(electionTick)
	return state{
		operations: groupCount,
		prepare: func() {
			for _, group := range groups {
				group.settle()
			}
		},
		run: func() {
			for _, group := range groups {
				group.leader.raw.Tick()
			}
		},
	}
}

func tickFollowers() state {
	const ticks = 50
	// No election comes in between.
	groups := makeGroups(1000)
	var followers []*raft.RawNode
	for _, group := range groups {
		for _, n := range group.nodes[1:] {
			followers = append(followers, n.raw)
		}
	}
	return state{
		operations: ticks * len(followers),
		prepare: func() {
			for _, group := range groups {
				group.leader.raw.Tick()
				group.settle()
			}
		},
		run: func() {
			for range ticks {
				for _, follower := range followers {
					follower.Tick()
				}
			}
		},
	}
}

const readOperations = 1024

func readStatus() state {
	raw := newCluster(3, electionTick).leader.raw
	return state{operations: readOperations, run: func() {
		for range readOperations {
			sinkStatus = raw.Status()
		}
	}}
}

func readBasicStatus() state {
	raw := newCluster(3, electionTick).leader.raw
	return state{operations: readOperations, run: func() {
		for range readOperations {
			sinkBasicStatus = raw.BasicStatus()
		}
	}}
}

func readProgress() state {
	raw := newCluster(3, electionTick).leader.raw
	return state{operations: readOperations, run: func() {
		for range readOperations {
			sinkMatches = 0
			raw.WithProgress(func(_ uint64, _ raft.ProgressType, progress tracker.Progress) {
				sinkMatches += progress.Match
			})
		}
	}}
}
