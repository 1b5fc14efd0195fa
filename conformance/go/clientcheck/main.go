// Command clientcheck uses a server by etcd's own Go client and its concurrency package. It prints `ok NAME` or
// `fail NAME: why` for each check and ends with status 1 when one failed.
//
//	clientcheck 127.0.0.1:2379
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const checkTimeout = 20 * time.Second

type check struct {
	name string
	run  func(ctx context.Context, client *clientv3.Client) error
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: clientcheck host:port")
		os.Exit(2)
	}
	endpoint := os.Args[1]
	client, err := connect(endpoint, "", "")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	defer client.Close()
	failed := false
	for _, one := range append(append(checks(), concurrencyChecks()...), authChecks(endpoint)...) {
		ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
		err := one.run(ctx, client)
		cancel()
		if err != nil {
			failed = true
			fmt.Printf("fail %s: %s\n", one.name, strings.ReplaceAll(err.Error(), "\n", " "))
			continue
		}
		fmt.Printf("ok %s\n", one.name)
	}
	if failed {
		os.Exit(1)
	}
}

func connect(endpoint, user, password string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints:   []string{endpoint},
		DialTimeout: 5 * time.Second,
		Username:    user,
		Password:    password,
		// Every refusal that a check expects would be a line.
		Logger: zap.NewNop(),
	})
}

func checks() []check {
	return []check{
		{"keys", keys},
		{"ranges", ranges},
		{"range stream", rangeStream},
		{"transactions", transactions},
		{"compaction", compaction},
		{"watch", watch},
		{"watch from a compacted revision", watchCompacted},
		{"watch that requires a leader", watchWithLeader},
		{"leases", leases},
		{"maintenance", maintenance},
		{"members", members},
	}
}

func keys(ctx context.Context, client *clientv3.Client) error {
	if _, err := client.Put(ctx, "k/a", "1"); err != nil {
		return err
	}
	put, err := client.Put(ctx, "k/a", "2", clientv3.WithPrevKV())
	if err != nil {
		return err
	}
	if err := same("previous", string(put.PrevKv.Value), "1"); err != nil {
		return err
	}
	got, err := client.Get(ctx, "k/a")
	if err != nil {
		return err
	}
	if err := same("count", got.Count, int64(1)); err != nil {
		return err
	}
	if err := same("version", got.Kvs[0].Version, int64(2)); err != nil {
		return err
	}
	deleted, err := client.Delete(ctx, "k/a")
	if err != nil {
		return err
	}
	if err := same("deleted", deleted.Deleted, int64(1)); err != nil {
		return err
	}
	_, err = client.Put(ctx, "", "x")
	return fails("an empty key", err, rpctypes.ErrEmptyKey)
}

func ranges(ctx context.Context, client *clientv3.Client) error {
	for _, key := range []string{"r/a", "r/b", "r/c"} {
		if _, err := client.Put(ctx, key, key); err != nil {
			return err
		}
	}
	got, err := client.Get(ctx, "r/", clientv3.WithPrefix(), clientv3.WithLimit(2), clientv3.WithSort(clientv3.SortByKey, clientv3.SortDescend))
	if err != nil {
		return err
	}
	if err := same("first", string(got.Kvs[0].Key), "r/c"); err != nil {
		return err
	}
	if !got.More || got.Count != 3 {
		return fmt.Errorf("more %v, count %d", got.More, got.Count)
	}
	old, err := client.Get(ctx, "r/", clientv3.WithPrefix(), clientv3.WithRev(got.Header.Revision-1), clientv3.WithCountOnly())
	if err != nil {
		return err
	}
	if err := same("count a revision ago", old.Count, int64(2)); err != nil {
		return err
	}
	_, err = client.Get(ctx, "r/a", clientv3.WithRev(got.Header.Revision+1000))
	return fails("a future revision", err, rpctypes.ErrFutureRev)
}

func rangeStream(ctx context.Context, client *clientv3.Client) error {
	value := strings.Repeat("v", 1000)
	for i := range 50 {
		if _, err := client.Put(ctx, fmt.Sprintf("s/%02d", i), value); err != nil {
			return err
		}
	}
	chunks, err := client.GetStream(ctx, "s/", clientv3.WithPrefix())
	if err != nil {
		return err
	}
	got, err := clientv3.GetStreamToGetResponse(chunks)
	if err != nil {
		return err
	}
	if err := same("count", got.Count, int64(50)); err != nil {
		return err
	}
	return same("keys", len(got.Kvs), 50)
}

func transactions(ctx context.Context, client *clientv3.Client) error {
	if _, err := client.Put(ctx, "t/a", "1"); err != nil {
		return err
	}
	nested := clientv3.OpTxn(nil, []clientv3.Op{clientv3.OpPut("t/c", "3")}, nil)
	got, err := client.Txn(ctx).
		If(clientv3.Compare(clientv3.Value("t/a"), "=", "1"), clientv3.Compare(clientv3.CreateRevision("t/b"), "=", 0)).
		Then(clientv3.OpPut("t/b", "2"), clientv3.OpGet("t/", clientv3.WithPrefix()), nested).
		Else(clientv3.OpDelete("t/a")).
		Commit()
	if err != nil {
		return err
	}
	if !got.Succeeded {
		return errors.New("the comparison failed")
	}
	if err := same("keys seen inside", len(got.Responses[1].GetResponseRange().Kvs), 2); err != nil {
		return err
	}
	_, err = client.Txn(ctx).Then(clientv3.OpPut("t/a", "1"), clientv3.OpPut("t/a", "2")).Commit()
	return fails("two puts of a key", err, rpctypes.ErrDuplicateKey)
}

func compaction(ctx context.Context, client *clientv3.Client) error {
	put, err := client.Put(ctx, "c/a", "1")
	if err != nil {
		return err
	}
	at := put.Header.Revision
	if _, err := client.Compact(ctx, at, clientv3.WithCompactPhysical()); err != nil {
		return err
	}
	if _, err := client.Get(ctx, "c/a", clientv3.WithRev(at)); err != nil {
		return err
	}
	_, err = client.Get(ctx, "c/a", clientv3.WithRev(at-1))
	if err := fails("below the compaction", err, rpctypes.ErrCompacted); err != nil {
		return err
	}
	_, err = client.Compact(ctx, at)
	return fails("the same compaction again", err, rpctypes.ErrCompacted)
}

func watch(ctx context.Context, client *clientv3.Client) error {
	first, err := client.Put(ctx, "w/a", "1")
	if err != nil {
		return err
	}
	events := client.Watch(ctx, "w/", clientv3.WithPrefix(), clientv3.WithRev(first.Header.Revision), clientv3.WithPrevKV())
	if _, err := client.Put(ctx, "w/a", "2"); err != nil {
		return err
	}
	if _, err := client.Delete(ctx, "w/a"); err != nil {
		return err
	}
	seen := []string{}
	for len(seen) < 3 {
		response, open := <-events
		if !open || response.Err() != nil {
			return fmt.Errorf("the watch ended: %v", response.Err())
		}
		for _, event := range response.Events {
			previous := ""
			if event.PrevKv != nil {
				previous = string(event.PrevKv.Value)
			}
			seen = append(seen, fmt.Sprintf("%s %s %s", event.Type, event.Kv.Value, previous))
		}
	}
	if err := same("events", strings.Join(seen, ", "), "PUT 1 , PUT 2 1, DELETE  2"); err != nil {
		return err
	}
	if err := client.RequestProgress(ctx); err != nil {
		return err
	}
	response := <-events
	if !response.IsProgressNotify() {
		return fmt.Errorf("no progress notice but %v", response)
	}
	return nil
}

func watchCompacted(ctx context.Context, client *clientv3.Client) error {
	put, err := client.Put(ctx, "wc/a", "1")
	if err != nil {
		return err
	}
	if _, err := client.Compact(ctx, put.Header.Revision); err != nil {
		return err
	}
	response := <-client.Watch(ctx, "wc/a", clientv3.WithRev(put.Header.Revision-1))
	if err := fails("the watch", response.Err(), rpctypes.ErrCompacted); err != nil {
		return err
	}
	return same("compact revision", response.CompactRevision, put.Header.Revision)
}

func watchWithLeader(ctx context.Context, client *clientv3.Client) error {
	events := client.Watch(clientv3.WithRequireLeader(ctx), "wl", clientv3.WithCreatedNotify())
	response := <-events
	if !response.Created {
		return fmt.Errorf("not created: %v", response.Err())
	}
	return nil
}

func leases(ctx context.Context, client *clientv3.Client) error {
	granted, err := client.Grant(ctx, 60)
	if err != nil {
		return err
	}
	if _, err := client.Put(ctx, "l/a", "1", clientv3.WithLease(granted.ID)); err != nil {
		return err
	}
	alive, err := client.KeepAlive(ctx, granted.ID)
	if err != nil {
		return err
	}
	if response := <-alive; response == nil || response.TTL != 60 {
		return fmt.Errorf("kept alive: %v", response)
	}
	left, err := client.TimeToLive(ctx, granted.ID, clientv3.WithAttachedKeys())
	if err != nil {
		return err
	}
	if err := same("attached", string(left.Keys[0]), "l/a"); err != nil {
		return err
	}
	if _, err := client.Revoke(ctx, granted.ID); err != nil {
		return err
	}
	got, err := client.Get(ctx, "l/a")
	if err != nil {
		return err
	}
	if err := same("keys left", got.Count, int64(0)); err != nil {
		return err
	}
	_, err = client.KeepAliveOnce(ctx, granted.ID)
	return fails("a lease that is gone", err, rpctypes.ErrLeaseNotFound)
}

func maintenance(ctx context.Context, client *clientv3.Client) error {
	endpoint := client.Endpoints()[0]
	state, err := client.Status(ctx, endpoint)
	if err != nil {
		return err
	}
	if state.Leader != state.Header.MemberId {
		return fmt.Errorf("leader %x of member %x", state.Leader, state.Header.MemberId)
	}
	if _, err := client.HashKV(ctx, endpoint, 0); err != nil {
		return err
	}
	if _, err := client.Defragment(ctx, endpoint); err != nil {
		return err
	}
	alarms, err := client.AlarmList(ctx)
	if err != nil {
		return err
	}
	if err := same("alarms", len(alarms.Alarms), 0); err != nil {
		return err
	}
	_, err = client.MoveLeader(ctx, 12345)
	return fails("moving leadership to nobody", err, rpctypes.ErrBadLeaderTransferee)
}

func members(ctx context.Context, client *clientv3.Client) error {
	list, err := client.MemberList(ctx)
	if err != nil {
		return err
	}
	if err := same("members", len(list.Members), 1); err != nil {
		return err
	}
	_, err = client.MemberRemove(ctx, 12345)
	if err := fails("removing nobody", err, rpctypes.ErrMemberNotFound); err != nil {
		return err
	}
	return client.Sync(ctx)
}

func same[T comparable](what string, found, expected T) error {
	if found != expected {
		return fmt.Errorf("%s: %v, not %v", what, found, expected)
	}
	return nil
}

func fails(what string, err, expected error) error {
	if err == nil {
		return fmt.Errorf("%s was accepted", what)
	}
	if errors.Is(err, expected) || err.Error() == expected.Error() {
		return nil
	}
	if code := status.Code(err); code != codes.Unknown && code == status.Code(expected) && strings.Contains(err.Error(), expected.Error()) {
		return nil
	}
	return fmt.Errorf("%s: %v, not %v", what, err, expected)
}
