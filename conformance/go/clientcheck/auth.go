package main

import (
	"context"
	"fmt"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// authChecks end with authentication off again.
func authChecks(endpoint string) []check {
	return []check{{"users, roles and permissions", func(ctx context.Context, client *clientv3.Client) error {
		if err := enableAuth(ctx, client); err != nil {
			return err
		}
		root, err := connect(endpoint, "root", "rootpw")
		if err != nil {
			return err
		}
		defer root.Close()
		err = permissions(ctx, endpoint, client, root)
		if _, offErr := root.AuthDisable(ctx); err == nil {
			err = offErr
		}
		return err
	}}}
}

func enableAuth(ctx context.Context, client *clientv3.Client) error {
	if _, err := client.UserAdd(ctx, "root", "rootpw"); err != nil {
		return err
	}
	if _, err := client.UserGrantRole(ctx, "root", "root"); err != nil {
		return err
	}
	if _, err := client.RoleAdd(ctx, "reader"); err != nil {
		return err
	}
	if _, err := client.RoleGrantPermission(ctx, "reader", "p/", "p0", clientv3.PermissionType(clientv3.PermRead)); err != nil {
		return err
	}
	if _, err := client.UserAdd(ctx, "alice", "alicepw"); err != nil {
		return err
	}
	if _, err := client.UserGrantRole(ctx, "alice", "reader"); err != nil {
		return err
	}
	_, err := client.AuthEnable(ctx)
	return err
}

func permissions(ctx context.Context, endpoint string, nobody, root *clientv3.Client) error {
	if _, err := root.Put(ctx, "p/a", "1"); err != nil {
		return err
	}
	_, err := nobody.Get(ctx, "p/a")
	if err := fails("a read by nobody", err, rpctypes.ErrUserEmpty); err != nil {
		return err
	}
	if wrong, err := connect(endpoint, "alice", "wrong"); err == nil {
		defer wrong.Close()
		_, err = wrong.Get(ctx, "p/a")
		if err := fails("a wrong password", err, rpctypes.ErrAuthFailed); err != nil {
			return err
		}
	}
	alice, err := connect(endpoint, "alice", "alicepw")
	if err != nil {
		return err
	}
	defer alice.Close()
	got, err := alice.Get(ctx, "p/", clientv3.WithPrefix())
	if err != nil {
		return err
	}
	if err := same("keys read", got.Count, int64(1)); err != nil {
		return err
	}
	_, err = alice.Put(ctx, "p/a", "2")
	if err := fails("a write by a reader", err, rpctypes.ErrPermissionDenied); err != nil {
		return err
	}
	_, err = alice.Get(ctx, "q")
	if err := fails("a read outside", err, rpctypes.ErrPermissionDenied); err != nil {
		return err
	}
	response := <-alice.Watch(ctx, "q")
	if response.Err() == nil {
		return fmt.Errorf("a watch outside was accepted: %v", response)
	}
	_, err = alice.UserList(ctx)
	return fails("administration by a reader", err, rpctypes.ErrPermissionDenied)
}
