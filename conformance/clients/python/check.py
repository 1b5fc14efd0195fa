"""Uses a server by the Python clients aetcd (gRPC) and etcd3gw (JSON gateway).

    python check.py host:port

Prints `ok NAME` or `fail NAME: why` for each check and ends with status 1 when one failed.
"""

import asyncio
import base64
import contextlib
import sys
import threading

import aetcd
import aetcd.exceptions
import requests
from etcd3gw.client import Etcd3Client
from etcd3gw.exceptions import Etcd3Exception

CHECK_TIMEOUT_S = 20


def same(what, found, expected):
    if found != expected:
        raise AssertionError(f"{what}: {found!r}, not {expected!r}")


# aetcd: gRPC


async def keys(client):
    await client.put(b"k/a", b"1")
    put = await client.put(b"k/a", b"2", prev_kv=True)
    same("previous", put.prev_kv.value, b"1")
    got = await client.get(b"k/a")
    same("value", got.value, b"2")
    same("version", got.version, 2)
    same("deleted", (await client.delete(b"k/a", prev_kv=True)).prev_kv.value, b"2")
    same("missing", await client.get(b"k/a"), None)


async def ranges(client):
    for key in (b"r/a", b"r/b", b"r/c"):
        await client.put(key, key)
    found = await client.get_prefix(b"r/", sort_order="descend")
    same("keys", [kv.key for kv in found], [b"r/c", b"r/b", b"r/a"])
    same("deleted", (await client.delete_prefix(b"r/")).deleted, 3)


async def transactions(client):
    await client.put(b"t/a", b"1")
    same("replaced", await client.replace(b"t/a", b"1", b"2"), True)
    same("not replaced", await client.replace(b"t/a", b"1", b"3"), False)
    same("value", (await client.get(b"t/a")).value, b"2")


async def watch(client):
    first = await client.put(b"w/a", b"1")
    watcher = await client.watch_prefix(b"w/", start_revision=first.header.revision, prev_kv=True)
    await client.put(b"w/a", b"2")
    await client.delete(b"w/a")
    seen = []
    async for event in watcher:
        seen.append((str(event.kind), event.kv.value))
        if len(seen) == 3:
            break
    await watcher.cancel()
    same("events", seen, [("PUT", b"1"), ("PUT", b"2"), ("DELETE", b"")])


async def leases(client):
    lease = await client.lease(60)
    await client.put(b"l/a", b"1", lease=lease)
    same("ttl", (await lease.refresh()).TTL, 60)
    same("attached", list((await client.get_lease_info(lease.id)).keys), [b"l/a"])
    await lease.revoke()
    same("key left", await client.get(b"l/a"), None)


async def lock(client):
    async with client.lock(b"lock", ttl=30) as held:
        same("acquired", await held.is_acquired(), True)
        other = client.lock(b"lock", ttl=30)
        same("acquired twice", await other.acquire(timeout=1), False)
    same("free again", await other.acquire(timeout=5), True)
    await other.release()


async def maintenance(client):
    status = await client.status()
    same("version", status.version.startswith("3."), True)
    same("alarms", [alarm async for alarm in client.list_alarms()], [])
    same("members", len([member async for member in client.members()]), 1)
    await client.defragment()
    revision = (await client.put(b"m", b"1")).header.revision
    await client.compact(revision, physical=True)


# etcd3gw: the JSON gateway


def gateway_keys(client):
    client.put("g/a", "1")
    same("value", client.get("g/a"), [b"1"])
    same("created", client.create("g/b", "2"), True)
    same("created twice", client.create("g/b", "3"), False)
    same("replaced", client.replace("g/b", "2", "4"), True)
    same("prefix", [value for value, _ in client.get_prefix("g/")], [b"1", b"4"])
    same("metadata", client.get("g/b", metadata=True)[0][1]["version"], "2")
    same("deleted", client.delete("g/a"), True)
    same("deleted twice", client.delete("g/a"), False)


def gateway_watch(client):
    events, cancel = client.watch("gw")
    for value in ("1", "2"):
        threading.Timer(0.5, client.put, ("gw", value)).start()
    seen = {next(events)["kv"]["value"] for _ in range(2)}
    cancel()
    same("events", seen, {b"1", b"2"})


def gateway_leases(client):
    lease = client.lease(ttl=60)
    client.put("gl", "1", lease=lease)
    same("keys", lease.keys(), [b"gl"])
    same("refreshed", lease.refresh(), 60)
    same("revoked", lease.revoke(), True)
    same("key left", client.get("gl"), [])


def gateway_lock(client):
    with client.lock("gateway-lock", ttl=30) as held:
        same("acquired", held.is_acquired(), True)
        same("acquired twice", client.lock("gateway-lock", ttl=30).acquire(), False)


def gateway_status(client):
    same("leader", "leader" in client.status(), True)
    same("members", len(client.members()), 1)


# Both: users are made through the gateway, used by gRPC


def b64(text):
    return base64.b64encode(text.encode()).decode()


def administer(client, path, **body):
    return client.post(client.get_url(path), json=body)


async def authentication(endpoint, gateway):
    administer(gateway, "/auth/user/add", name="root", password="rootpw")
    administer(gateway, "/auth/user/grant", user="root", role="root")
    administer(gateway, "/auth/role/add", name="reader")
    permission = {"permType": "READ", "key": b64("p/"), "range_end": b64("p0")}
    administer(gateway, "/auth/role/grant", name="reader", perm=permission)
    administer(gateway, "/auth/user/add", name="alice", password="alicepw")
    administer(gateway, "/auth/user/grant", user="alice", role="reader")
    gateway.put("p/a", "1")
    administer(gateway, "/auth/enable")
    session = requests.Session()
    token = administer(gateway, "/auth/authenticate", name="root", password="rootpw")["token"]
    session.headers["Authorization"] = token
    host, port = endpoint
    root = Etcd3Client(host=host, port=port, api_path="/v3/", session=session)
    try:
        try:
            gateway.get("p/a")
            raise AssertionError("a read by nobody was accepted")
        except Etcd3Exception as refused:
            same("refused", "user name is empty" in refused.detail_text, True)
        async with aetcd.Client(host=host, port=port, username="alice", password="alicepw") as alice:
            same("value", (await alice.get(b"p/a")).value, b"1")
            try:
                await alice.put(b"p/a", b"2")
                raise AssertionError("a write by a reader was accepted")
            except aetcd.exceptions.ClientError as refused:
                same("refused", "permission denied" in str(refused), True)
    finally:
        administer(root, "/auth/disable")


async def run(name, check):
    try:
        await asyncio.wait_for(check, CHECK_TIMEOUT_S)
    except BaseException as error:  # noqa: BLE001 a check that fails in whatever way has failed
        print(f"fail {name}: {type(error).__name__} {error}".replace("\n", " "))
        return False
    print(f"ok {name}")
    return True


async def main(address):
    host, port = address.split(":")
    endpoint = (host, int(port))
    results = []
    async with aetcd.Client(host=endpoint[0], port=endpoint[1]) as client:
        for check in (keys, ranges, transactions, watch, leases, lock, maintenance):
            results.append(await run(f"aetcd {check.__name__}", check(client)))
    gateway = Etcd3Client(host=endpoint[0], port=endpoint[1], api_path="/v3/", timeout=CHECK_TIMEOUT_S)
    for check in (gateway_keys, gateway_watch, gateway_leases, gateway_lock, gateway_status):
        name = check.__name__.removeprefix("gateway_")
        results.append(await run(f"etcd3gw {name}", asyncio.to_thread(check, gateway)))
    results.append(await run("authentication", authentication(endpoint, gateway)))
    return all(results)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(0 if asyncio.run(main(sys.argv[1])) else 1)
