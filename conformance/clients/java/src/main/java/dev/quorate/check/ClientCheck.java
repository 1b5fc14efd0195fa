package dev.quorate.check;

import io.etcd.jetcd.ByteSequence;
import io.etcd.jetcd.Client;
import io.etcd.jetcd.Election;
import io.etcd.jetcd.KeyValue;
import io.etcd.jetcd.Watch;
import io.etcd.jetcd.auth.Permission;
import io.etcd.jetcd.election.LeaderResponse;
import io.etcd.jetcd.op.Cmp;
import io.etcd.jetcd.op.CmpTarget;
import io.etcd.jetcd.op.Op;
import io.etcd.jetcd.options.GetOption;
import io.etcd.jetcd.options.LeaseOption;
import io.etcd.jetcd.options.PutOption;
import io.etcd.jetcd.options.WatchOption;
import io.etcd.jetcd.watch.WatchEvent;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * Uses a server by the Java client jetcd. Prints {@code ok NAME} or {@code fail NAME: why} for each check and ends with status 1 when
 * one failed. Its argument is host:port.
 */
public final class ClientCheck {
  private static final long TIMEOUT_S = 20;

  private final String endpoint;
  private final Client client;

  private ClientCheck(String endpoint, Client client) {
    this.endpoint = endpoint;
    this.client = client;
  }

  private interface Check {
    void run() throws Exception;
  }

  public static void main(String[] arguments) {
    String endpoint = "http://" + arguments[0];
    boolean passed = true;
    try (Client client = Client.builder().endpoints(endpoint).build()) {
      ClientCheck check = new ClientCheck(endpoint, client);
      Map<String, Check> checks = new LinkedHashMap<>();
      checks.put("keys", check::keys);
      checks.put("ranges", check::ranges);
      checks.put("transactions", check::transactions);
      checks.put("watch", check::watch);
      checks.put("leases", check::leases);
      checks.put("locks", check::locks);
      checks.put("elections", check::elections);
      checks.put("maintenance", check::maintenance);
      checks.put("authentication", check::authentication);
      for (Map.Entry<String, Check> one : checks.entrySet()) passed &= report(one.getKey(), one.getValue());
    }
    System.exit(passed ? 0 : 1);
  }

  private static boolean report(String name, Check check) {
    try {
      check.run();
      System.out.println("ok " + name);
      return true;
    } catch (Exception | AssertionError error) {
      Throwable cause = error instanceof ExecutionException ? error.getCause() : error;
      System.out.println(("fail " + name + ": " + cause).replace('\n', ' '));
      return false;
    }
  }

  private static ByteSequence bytes(String text) {
    return ByteSequence.from(text, StandardCharsets.UTF_8);
  }

  private static <T> T get(CompletableFuture<T> future) throws Exception {
    return future.get(TIMEOUT_S, TimeUnit.SECONDS);
  }

  private static void same(String what, Object found, Object expected) {
    if (!Objects.equals(found, expected)) throw new AssertionError(what + ": " + found + ", not " + expected);
  }

  private static void refused(String what, CompletableFuture<?> future, String text) throws Exception {
    try {
      Object response = get(future);
      throw new AssertionError(what + " was accepted: " + response);
    } catch (ExecutionException error) {
      if (!String.valueOf(error.getCause()).contains(text)) {
        throw new AssertionError(what + ": " + error.getCause() + ", not " + text);
      }
    }
  }

  private void keys() throws Exception {
    var kv = client.getKVClient();
    get(kv.put(bytes("k/a"), bytes("1")));
    var put = get(kv.put(bytes("k/a"), bytes("2"), PutOption.builder().withPrevKV().build()));
    same("previous", put.getPrevKv().getValue(), bytes("1"));
    same("version", get(kv.get(bytes("k/a"))).getKvs().get(0).getVersion(), 2L);
    same("deleted", get(kv.delete(bytes("k/a"))).getDeleted(), 1L);
    same("missing", get(kv.get(bytes("k/a"))).getCount(), 0L);
    refused("an empty key", kv.put(bytes(""), bytes("x")), "key is not provided");
  }

  private void ranges() throws Exception {
    var kv = client.getKVClient();
    for (String key : List.of("r/a", "r/b", "r/c")) get(kv.put(bytes(key), bytes(key)));
    var options =
        GetOption.builder()
            .isPrefix(true)
            .withLimit(2)
            .withSortField(GetOption.SortTarget.KEY)
            .withSortOrder(GetOption.SortOrder.DESCEND)
            .build();
    var found = get(kv.get(bytes("r/"), options));
    same("first", found.getKvs().get(0).getKey(), bytes("r/c"));
    same("count", found.getCount(), 3L);
    same("more", found.isMore(), true);
    long revision = found.getHeader().getRevision();
    get(kv.compact(revision));
    var old = GetOption.builder().withRevision(revision - 1).build();
    refused("below the compaction", kv.get(bytes("r/a"), old), "has been compacted");
  }

  private void transactions() throws Exception {
    var kv = client.getKVClient();
    get(kv.put(bytes("t/a"), bytes("1")));
    var response =
        get(
            kv.txn()
                .If(new Cmp(bytes("t/a"), Cmp.Op.EQUAL, CmpTarget.value(bytes("1"))))
                .Then(Op.put(bytes("t/b"), bytes("2"), PutOption.DEFAULT), Op.get(bytes("t/b"), GetOption.DEFAULT))
                .Else(Op.put(bytes("t/a"), bytes("3"), PutOption.DEFAULT))
                .commit());
    same("succeeded", response.isSucceeded(), true);
    same("value", response.getGetResponses().get(0).getKvs().get(0).getValue(), bytes("2"));
    var twice = Op.put(bytes("t/a"), bytes("4"), PutOption.DEFAULT);
    refused("two puts of a key", kv.txn().Then(twice, twice).commit(), "duplicate key");
  }

  private void watch() throws Exception {
    var kv = client.getKVClient();
    long revision = get(kv.put(bytes("w/a"), bytes("1"))).getHeader().getRevision();
    BlockingQueue<String> seen = new LinkedBlockingQueue<>();
    var options = WatchOption.builder().isPrefix(true).withRevision(revision).withPrevKV(true).build();
    var listener =
        Watch.listener(
            response -> {
              for (WatchEvent event : response.getEvents()) {
                seen.add(event.getEventType() + " " + event.getKeyValue().getValue() + " " + event.getPrevKV().getValue());
              }
            });
    try (var watcher = client.getWatchClient().watch(bytes("w/"), options, listener)) {
      get(kv.put(bytes("w/a"), bytes("2")));
      get(kv.delete(bytes("w/a")));
      for (String expected : List.of("PUT 1 ", "PUT 2 1", "DELETE  2")) {
        same("event", seen.poll(TIMEOUT_S, TimeUnit.SECONDS), expected);
      }
    }
  }

  private void leases() throws Exception {
    var leases = client.getLeaseClient();
    long id = get(leases.grant(60)).getID();
    get(client.getKVClient().put(bytes("l/a"), bytes("1"), PutOption.builder().withLeaseId(id).build()));
    same("ttl", get(leases.keepAliveOnce(id)).getTTL(), 60L);
    var left = get(leases.timeToLive(id, LeaseOption.builder().withAttachedKeys().build()));
    same("attached", left.getKeys(), List.of(bytes("l/a")));
    get(leases.revoke(id));
    same("keys left", get(client.getKVClient().get(bytes("l/a"))).getCount(), 0L);
    refused("revoking twice", leases.revoke(id), "requested lease not found");
  }

  private void locks() throws Exception {
    var locks = client.getLockClient();
    long first = get(client.getLeaseClient().grant(30)).getID();
    long second = get(client.getLeaseClient().grant(30)).getID();
    var held = get(locks.lock(bytes("lock"), first));
    same("key", held.getKey(), bytes("lock/" + Long.toHexString(first)));
    var waiting = locks.lock(bytes("lock"), second);
    get(locks.unlock(held.getKey()));
    get(locks.unlock(get(waiting).getKey()));
  }

  private void elections() throws Exception {
    var elections = client.getElectionClient();
    long lease = get(client.getLeaseClient().grant(30)).getID();
    var leader = get(elections.campaign(bytes("chair"), lease, bytes("a"))).getLeader();
    BlockingQueue<KeyValue> observed = new LinkedBlockingQueue<>();
    elections.observe(
        bytes("chair"),
        new Election.Listener() {
          @Override
          public void onNext(LeaderResponse response) {
            observed.add(response.getKv());
          }

          @Override
          public void onError(Throwable error) {}

          @Override
          public void onCompleted() {}
        });
    KeyValue first = observed.poll(TIMEOUT_S, TimeUnit.SECONDS);
    same("observed", first == null ? null : first.getValue(), bytes("a"));
    get(elections.proclaim(leader, bytes("b")));
    same("leader", get(elections.leader(bytes("chair"))).getKv().getValue(), bytes("b"));
    get(elections.resign(leader));
    refused("after it resigned", elections.leader(bytes("chair")), "NoLeaderException");
  }

  private void maintenance() throws Exception {
    var maintenance = client.getMaintenanceClient();
    same("version", get(maintenance.statusMember(endpoint)).getVersion().startsWith("3."), true);
    same("alarms", get(maintenance.listAlarms()).getAlarms(), List.of());
    get(maintenance.hashKV(endpoint, 0));
    get(maintenance.defragmentMember(endpoint));
    var snapshot = new ByteArrayOutputStream();
    get(maintenance.snapshot(snapshot));
    same("a snapshot with content", snapshot.size() > 1000, true);
    same("members", get(client.getClusterClient().listMember()).getMembers().size(), 1);
  }

  private void authentication() throws Exception {
    var auth = client.getAuthClient();
    get(auth.userAdd(bytes("root"), bytes("rootpw")));
    get(auth.userGrantRole(bytes("root"), bytes("root")));
    get(auth.roleAdd(bytes("reader")));
    get(auth.roleGrantPermission(bytes("reader"), bytes("p/"), bytes("p0"), Permission.Type.READ));
    get(auth.userAdd(bytes("alice"), bytes("alicepw")));
    get(auth.userGrantRole(bytes("alice"), bytes("reader")));
    get(client.getKVClient().put(bytes("p/a"), bytes("1")));
    get(auth.authEnable());
    try (Client root = as("root", "rootpw"); Client alice = as("alice", "alicepw")) {
      try {
        refused("a read by nobody", client.getKVClient().get(bytes("p/a")), "user name is empty");
        var found = get(alice.getKVClient().get(bytes("p/"), GetOption.builder().isPrefix(true).build()));
        same("keys read", found.getCount(), 1L);
        refused("a write by a reader", alice.getKVClient().put(bytes("p/a"), bytes("2")), "permission denied");
      } finally {
        get(root.getAuthClient().authDisable());
      }
    }
  }

  private Client as(String user, String password) {
    return Client.builder().endpoints(endpoint).user(bytes(user)).password(bytes(password)).build();
  }
}
