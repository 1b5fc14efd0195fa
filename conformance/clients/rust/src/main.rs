//! Uses a server by the Rust crate etcd-client. Prints `ok NAME` or `fail NAME: why` for each check and ends with status 1 when
//! one failed.
//!
//!     quorate-client-check host:port

use std::fmt::Debug;
use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use etcd_client::{
    Client, Compare, CompareOp, ConnectOptions, EventType, GetOptions, LockOptions, Permission, ProclaimOptions,
    PutOptions, ResignOptions, SortOrder, SortTarget, Txn, TxnOp, WatchOptions,
};

type Checked = Result<(), Box<dyn std::error::Error>>;

const CHECK_TIMEOUT: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() -> ExitCode {
    let Some(endpoint) = std::env::args().nth(1) else {
        eprintln!("usage: quorate-client-check host:port");
        return ExitCode::from(2);
    };
    let client = match Client::connect([&endpoint], None).await {
        Ok(client) => client,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let results = [
        run("keys", keys(client.clone())).await,
        run("ranges", ranges(client.clone())).await,
        run("transactions", transactions(client.clone())).await,
        run("watch", watch(client.clone())).await,
        run("leases", leases(client.clone())).await,
        run("locks", locks(client.clone())).await,
        run("elections", elections(client.clone())).await,
        run("maintenance", maintenance(client.clone())).await,
        run("authentication", authentication(client.clone(), &endpoint)).await,
    ];
    ExitCode::from(u8::from(results.contains(&false)))
}

async fn run(name: &str, check: impl Future<Output = Checked>) -> bool {
    let why = match tokio::time::timeout(CHECK_TIMEOUT, check).await {
        Ok(Ok(())) => {
            println!("ok {name}");
            return true;
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it took too long".to_string(),
    };
    println!("fail {name}: {}", why.replace('\n', " "));
    false
}

fn same<T: PartialEq + Debug>(what: &str, found: T, expected: T) -> Checked {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what}: {found:?}, not {expected:?}").into())
}

fn refused<T: Debug>(what: &str, result: Result<T, etcd_client::Error>, text: &str) -> Checked {
    match result {
        Ok(response) => Err(format!("{what} was accepted: {response:?}").into()),
        Err(error) if error.to_string().contains(text) => Ok(()),
        Err(error) => Err(format!("{what}: {error}, not {text}").into()),
    }
}

async fn keys(mut client: Client) -> Checked {
    client.put("k/a", "1", None).await?;
    let put = client.put("k/a", "2", Some(PutOptions::new().with_prev_key())).await?;
    same("previous", put.prev_key().map(|kv| kv.value()), Some(&b"1"[..]))?;
    let got = client.get("k/a", None).await?;
    same("version", got.kvs()[0].version(), 2)?;
    same("deleted", client.delete("k/a", None).await?.deleted(), 1)?;
    same("missing", client.get("k/a", None).await?.count(), 0)?;
    refused("an empty key", client.put("", "x", None).await, "key is not provided")
}

async fn ranges(mut client: Client) -> Checked {
    for key in ["r/a", "r/b", "r/c"] {
        client.put(key, key, None).await?;
    }
    let options = GetOptions::new()
        .with_prefix()
        .with_limit(2)
        .with_sort(SortTarget::Key, SortOrder::Descend);
    let got = client.get("r/", Some(options)).await?;
    same("first", got.kvs()[0].key_str()?, "r/c")?;
    same("more and count", (got.more(), got.count()), (true, 3))?;
    let revision = got.header().map_or(0, |header| header.revision());
    client.compact(revision, None).await?;
    let old = GetOptions::new().with_revision(revision - 1);
    refused(
        "below the compaction",
        client.get("r/a", Some(old)).await,
        "has been compacted",
    )
}

async fn transactions(mut client: Client) -> Checked {
    client.put("t/a", "1", None).await?;
    let txn = Txn::new()
        .when([Compare::value("t/a", CompareOp::Equal, "1")])
        .and_then([TxnOp::put("t/b", "2", None), TxnOp::get("t/b", None)])
        .or_else([TxnOp::delete("t/a", None)]);
    let response = client.txn(txn).await?;
    same("succeeded", response.succeeded(), true)?;
    same("responses", response.op_responses().len(), 2)?;
    let twice = Txn::new().and_then([TxnOp::put("t/a", "1", None), TxnOp::put("t/a", "2", None)]);
    refused("two puts of a key", client.txn(twice).await, "duplicate key")
}

async fn watch(mut client: Client) -> Checked {
    let first = client.put("w/a", "1", None).await?;
    let revision = first.header().map_or(0, |header| header.revision());
    let options = WatchOptions::new()
        .with_prefix()
        .with_start_revision(revision)
        .with_prev_key();
    let mut stream = client.watch("w/", Some(options)).await?;
    client.put("w/a", "2", None).await?;
    client.delete("w/a", None).await?;
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let response = stream.message().await?.ok_or("the watch ended")?;
        for event in response.events() {
            let put = event.event_type() == EventType::Put;
            let value = event
                .kv()
                .map_or(String::new(), |kv| String::from_utf8_lossy(kv.value()).into());
            seen.push((put, value));
        }
    }
    same(
        "events",
        seen,
        vec![(true, "1".into()), (true, "2".into()), (false, String::new())],
    )?;
    stream.request_progress().await?;
    let notice = stream.message().await?.ok_or("the watch ended")?;
    same("events of a progress notice", notice.events().len(), 0)
}

async fn leases(mut client: Client) -> Checked {
    let id = client.lease_grant(60, None).await?.id();
    client.put("l/a", "1", Some(PutOptions::new().with_lease(id))).await?;
    let (mut keeper, mut answers) = client.lease_keep_alive(id).await?;
    keeper.keep_alive().await?;
    same("ttl", answers.message().await?.ok_or("no answer")?.ttl(), 60)?;
    same(
        "leases",
        client.leases().await?.leases().iter().any(|lease| lease.id() == id),
        true,
    )?;
    client.lease_revoke(id).await?;
    same("keys left", client.get("l/a", None).await?.count(), 0)?;
    refused(
        "revoking twice",
        client.lease_revoke(id).await,
        "requested lease not found",
    )
}

async fn locks(mut client: Client) -> Checked {
    let lease = client.lease_grant(30, None).await?.id();
    let held = client.lock("lock", Some(LockOptions::new().with_lease(lease))).await?;
    same("key", held.key(), format!("lock/{lease:x}").as_bytes())?;
    let mut other = client.clone();
    let waiting = tokio::spawn(async move { other.lock("lock", None).await });
    client.unlock(held.key()).await?;
    let second = waiting.await??;
    client.unlock(second.key()).await?;
    Ok(())
}

async fn elections(mut client: Client) -> Checked {
    refused("no leader", client.leader("chair").await, "election: no leader")?;
    let lease = client.lease_grant(30, None).await?.id();
    let won = client.campaign("chair", "a", lease).await?;
    let leader = won.leader().ok_or("no leader key")?.clone();
    let mut observed = client.observe("chair").await?;
    let first = observed.message().await?.ok_or("nothing observed")?;
    same("observed", first.kv().map(|kv| kv.value()), Some(&b"a"[..]))?;
    client
        .proclaim("b", Some(ProclaimOptions::new().with_leader(leader.clone())))
        .await?;
    let now = client.leader("chair").await?;
    same("leader", now.kv().map(|kv| kv.value()), Some(&b"b"[..]))?;
    client.resign(Some(ResignOptions::new().with_leader(leader))).await?;
    refused("after it resigned", client.leader("chair").await, "election: no leader")
}

async fn maintenance(mut client: Client) -> Checked {
    same("version", client.status().await?.version().starts_with("3."), true)?;
    same("members", client.member_list().await?.members().len(), 1)?;
    client.defragment().await?;
    client.hash_kv(0).await?;
    let mut snapshot = client.snapshot().await?;
    let mut bytes = 0;
    while let Some(part) = snapshot.message().await? {
        bytes += part.blob().len();
    }
    same("a snapshot with content", bytes > 1000, true)
}

async fn authentication(mut client: Client, endpoint: &str) -> Checked {
    client.user_add("root", "rootpw", None).await?;
    client.user_grant_role("root", "root").await?;
    client.role_add("reader").await?;
    client
        .role_grant_permission("reader", Permission::read("p/").with_prefix())
        .await?;
    client.user_add("alice", "alicepw", None).await?;
    client.user_grant_role("alice", "reader").await?;
    client.put("p/a", "1", None).await?;
    client.auth_enable().await?;
    let as_root = ConnectOptions::new().with_user("root", "rootpw");
    let mut root = Client::connect([endpoint], Some(as_root)).await?;
    let checked = permissions(client, endpoint).await;
    root.auth_disable().await?;
    checked
}

async fn permissions(mut nobody: Client, endpoint: &str) -> Checked {
    refused("a read by nobody", nobody.get("p/a", None).await, "user name is empty")?;
    let as_alice = ConnectOptions::new().with_user("alice", "alicepw");
    let mut alice = Client::connect([endpoint], Some(as_alice)).await?;
    same(
        "keys read",
        alice.get("p/", Some(GetOptions::new().with_prefix())).await?.count(),
        1,
    )?;
    refused(
        "a write by a reader",
        alice.put("p/a", "2", None).await,
        "permission denied",
    )
}
