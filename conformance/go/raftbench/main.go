// Command raftbench measures the Go Raft library in the same cases as packages/raft/bench measures ours, one in a
// process: `raftbench [-time MS] NAME` prints one line of JSON with the nanoseconds of an operation (CPU time of all
// threads, and on the clock) and the bytes it allocates.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
)

// The case whose figure is the live heap of one of many groups.
const heapCase = "groups-heap"

type result struct {
	CPUNs   float64 `json:"cpuNs,omitempty"`
	ClockNs float64 `json:"clockNs,omitempty"`
	Bytes   float64 `json:"bytes"`
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func allocated() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.TotalAlloc
}

// measure runs until the budget is spent as timed CPU time, or five times as much in all.
func measure(s state, budget time.Duration) result {
	var cpu, clock time.Duration
	done := 0
	for end := time.Now().Add(5 * budget); cpu < budget && time.Now().Before(end); {
		if s.prepare != nil {
			s.prepare()
		}
		cpuStart, clockStart := cpuTime(), time.Now()
		s.run()
		clock += time.Since(clockStart)
		cpu += cpuTime() - cpuStart
		done += s.operations
	}
	return result{CPUNs: float64(cpu) / float64(done), ClockNs: float64(clock) / float64(done)}
}

// measureAllocations is apart from the timing, since looking at the heap stops the world.
func measureAllocations(s state) float64 {
	const runs = 5
	var bytes uint64
	for range runs {
		if s.prepare != nil {
			s.prepare()
		}
		before := allocated()
		s.run()
		bytes += allocated() - before
	}
	return float64(bytes) / float64(runs*s.operations)
}

func liveBytes() float64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc)
}

func measureHeap() result {
	before := liveBytes()
	groups := makeGroups(electionTick)
	bytes := (liveBytes() - before) / groupCount
	runtime.KeepAlive(groups)
	return result{Bytes: bytes}
}

func run(name string, budget time.Duration) (result, error) {
	if name == heapCase {
		return measureHeap(), nil
	}
	makeState, found := cases[name]
	if !found {
		return result{}, fmt.Errorf("no such case: %q", name)
	}
	s := makeState()
	measure(s, budget/2)
	figures := measure(s, budget)
	figures.Bytes = measureAllocations(s)
	return figures, nil
}

func main() {
	budgetMs := flag.Int("time", 300, "milliseconds of CPU time to measure")
	flag.Parse()
	figures, err := run(flag.Arg(0), time.Duration(*budgetMs)*time.Millisecond)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	must(json.NewEncoder(os.Stdout).Encode(figures))
}
