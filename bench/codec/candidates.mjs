// The libraries ours is measured against; all are development dependencies of packages/api. Each gives, by message name,
// a codec of whole messages in the library's own usual form.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { loadProtos } from '../../packages/api/scripts/generate.mjs';

const requireFromApi = createRequire(new URL('../../packages/api/package.json', import.meta.url));
const importFromApi = (name) => import(pathToFileURL(requireFromApi.resolve(name)).href);

/** Compiles an encoder and a decoder a type, which are what its static code generator prints. */
function protobufjs() {
  const root = loadProtos();
  return (name) => {
    const type = root.lookupType(name);
    return { decode: (bytes) => type.decode(bytes), encode: (message) => type.encode(message).finish() };
  };
}

/** Interprets descriptors; they come from the same .proto files through protobufjs. */
async function protobufEs() {
  const { createFileRegistry, fromBinary, toBinary } = await importFromApi('@bufbuild/protobuf');
  const { FileDescriptorSetSchema } = await importFromApi('@bufbuild/protobuf/wkt');
  const { FileDescriptorSet } = requireFromApi('protobufjs/ext/descriptor');
  /** @type {any} The require above gives it `toDescriptor`. */
  const root = loadProtos();
  const set = root.toDescriptor('proto3');
  // In the order of their imports, which is what the registry wants; the other packages are not measured.
  const wanted = ['mvccpb', 'authpb', 'membershippb', 'raftpb', 'etcdserverpb'];
  set.file = wanted.map((name) => set.file.find((file) => file.package === name));
  for (const file of set.file) {
    file.options = null;
    file.extension = [];
    file.dependency = file.dependency.filter((name) => !/google|versionpb/.test(name));
    for (const message of file.messageType) qualify(root.lookup(`${file.package}.${message.name}`), message);
  }
  const bytes = FileDescriptorSet.encode(set).finish();
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, bytes));
  return (name) => {
    const type = registry.getMessage(name);
    return { decode: (b) => fromBinary(type, b), encode: (message) => toBinary(type, message) };
  };
}

/** protobufjs names types relative to where they are used; protobuf-es wants full names. */
function qualify(type, message) {
  for (const field of message.field) {
    const { resolvedType } = type.fields[field.name];
    if (resolvedType) field.typeName = resolvedType.fullName;
  }
}

// pbf knows neither packages nor imports, and reads 64-bit integers as doubles: ids above 2^53 come out wrong. So it is
// here for speed alone, on a schema of its own.
const flatSchema = `
syntax = "proto3";
message ResponseHeader { uint64 cluster_id = 1; uint64 member_id = 2; int64 revision = 3; uint64 raft_term = 4; }
message KeyValue {
  bytes key = 1; int64 create_revision = 2; int64 mod_revision = 3; int64 version = 4; bytes value = 5; int64 lease = 6;
}
message Event { int32 type = 1; KeyValue kv = 2; KeyValue prev_kv = 3; }
message PutRequest {
  bytes key = 1; bytes value = 2; int64 lease = 3; bool prev_kv = 4; bool ignore_value = 5; bool ignore_lease = 6;
}
message RangeResponse { ResponseHeader header = 1; repeated KeyValue kvs = 2; bool more = 3; int64 count = 4; }
message WatchResponse {
  ResponseHeader header = 1; int64 watch_id = 2; bool created = 3; bool canceled = 4; int64 compact_revision = 5;
  string cancel_reason = 6; bool fragment = 7; repeated Event events = 11;
}
message RequestHeader { uint64 ID = 1; string username = 2; uint64 auth_revision = 3; }
message InternalRaftRequest { RequestHeader header = 100; uint64 ID = 1; PutRequest put = 4; }
message Entry { int32 Type = 1; uint64 Term = 2; uint64 Index = 3; bytes Data = 4; }
`;

async function pbf() {
  const { compile } = await importFromApi('pbf/compile');
  const { PbfReader, PbfWriter, default: Pbf } = await importFromApi('pbf');
  const parse = createRequire(requireFromApi.resolve('pbf'))('protocol-buffers-schema');
  const generated = compile(parse(flatSchema));
  const Reader = PbfReader ?? Pbf;
  const Writer = PbfWriter ?? Pbf;
  return (name) => {
    const type = name.split('.').at(-1);
    const read = generated[`read${type}`];
    const write = generated[`write${type}`];
    return {
      decode: (bytes) => read(new Reader(bytes)),
      encode: (message) => {
        const writer = new Writer();
        write(message, writer);
        return writer.finish();
      },
    };
  };
}

export async function candidates() {
  return { protobufjs: protobufjs(), 'protobuf-es': await protobufEs(), pbf: await pbf() };
}
