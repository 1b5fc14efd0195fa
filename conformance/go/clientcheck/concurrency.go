package main

import (
	"context"
	"errors"
	"fmt"

	v3electionpb "go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb"
	v3lockpb "go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
)

func concurrencyChecks() []check {
	return []check{
		{"locks of the client", clientLocks},
		{"elections of the client", clientElections},
		{"software transactional memory", transactionalMemory},
		{"lock service", lockService},
		{"election service", electionService},
	}
}

func clientLocks(ctx context.Context, client *clientv3.Client) error {
	first, err := concurrency.NewSession(client, concurrency.WithTTL(10))
	if err != nil {
		return err
	}
	defer first.Close()
	second, err := concurrency.NewSession(client, concurrency.WithTTL(10))
	if err != nil {
		return err
	}
	defer second.Close()
	held := concurrency.NewMutex(first, "mutex")
	if err := held.Lock(ctx); err != nil {
		return err
	}
	if err := concurrency.NewMutex(second, "mutex").TryLock(ctx); !errors.Is(err, concurrency.ErrLocked) {
		return fmt.Errorf("a lock that is held: %v", err)
	}
	waited := make(chan error, 1)
	go func() { waited <- concurrency.NewMutex(second, "mutex").Lock(ctx) }()
	if err := held.Unlock(ctx); err != nil {
		return err
	}
	return <-waited
}

func clientElections(ctx context.Context, client *clientv3.Client) error {
	session, err := concurrency.NewSession(client, concurrency.WithTTL(10))
	if err != nil {
		return err
	}
	defer session.Close()
	election := concurrency.NewElection(session, "election")
	if err := election.Campaign(ctx, "a"); err != nil {
		return err
	}
	observed := election.Observe(ctx)
	if response := <-observed; string(response.Kvs[0].Value) != "a" {
		return fmt.Errorf("observed %v", response)
	}
	if err := election.Proclaim(ctx, "b"); err != nil {
		return err
	}
	if response := <-observed; string(response.Kvs[0].Value) != "b" {
		return fmt.Errorf("observed %v", response)
	}
	if err := election.Resign(ctx); err != nil {
		return err
	}
	if _, err := election.Leader(ctx); !errors.Is(err, concurrency.ErrElectionNoLeader) {
		return fmt.Errorf("a leader after it resigned: %v", err)
	}
	return nil
}

func transactionalMemory(ctx context.Context, client *clientv3.Client) error {
	if _, err := client.Put(ctx, "stm", "0"); err != nil {
		return err
	}
	results := make(chan error, 4)
	for range 4 {
		go func() {
			_, err := concurrency.NewSTM(client, func(stm concurrency.STM) error {
				stm.Put("stm", stm.Get("stm")+"+")
				return nil
			}, concurrency.WithAbortContext(ctx))
			results <- err
		}()
	}
	for range 4 {
		if err := <-results; err != nil {
			return err
		}
	}
	got, err := client.Get(ctx, "stm")
	if err != nil {
		return err
	}
	return same("value", string(got.Kvs[0].Value), "0++++")
}

func lockService(ctx context.Context, client *clientv3.Client) error {
	service := v3lockpb.NewLockClient(client.ActiveConnection())
	granted, err := client.Grant(ctx, 30)
	if err != nil {
		return err
	}
	held, err := service.Lock(ctx, &v3lockpb.LockRequest{Name: []byte("served"), Lease: int64(granted.ID)})
	if err != nil {
		return err
	}
	if err := same("key", string(held.Key), fmt.Sprintf("served/%x", int64(granted.ID))); err != nil {
		return err
	}
	waited := make(chan error, 1)
	go func() {
		_, err := service.Lock(ctx, &v3lockpb.LockRequest{Name: []byte("served")})
		waited <- err
	}()
	if _, err := service.Unlock(ctx, &v3lockpb.UnlockRequest{Key: held.Key}); err != nil {
		return err
	}
	return <-waited
}

func electionService(ctx context.Context, client *clientv3.Client) error {
	service := v3electionpb.NewElectionClient(client.ActiveConnection())
	granted, err := client.Grant(ctx, 30)
	if err != nil {
		return err
	}
	won, err := service.Campaign(ctx, &v3electionpb.CampaignRequest{Name: []byte("chair"), Lease: int64(granted.ID), Value: []byte("a")})
	if err != nil {
		return err
	}
	observed, err := service.Observe(ctx, &v3electionpb.LeaderRequest{Name: []byte("chair")})
	if err != nil {
		return err
	}
	if response, err := observed.Recv(); err != nil || string(response.Kv.Value) != "a" {
		return fmt.Errorf("observed %v, %v", response, err)
	}
	if _, err := service.Proclaim(ctx, &v3electionpb.ProclaimRequest{Leader: won.Leader, Value: []byte("b")}); err != nil {
		return err
	}
	leader, err := service.Leader(ctx, &v3electionpb.LeaderRequest{Name: []byte("chair")})
	if err != nil {
		return err
	}
	if err := same("leader", string(leader.Kv.Value), "b"); err != nil {
		return err
	}
	_, err = service.Resign(ctx, &v3electionpb.ResignRequest{Leader: won.Leader})
	return err
}
