// Turns protobufjs's reflection tree into the plain model that emit.mjs prints.
import protobuf from 'protobufjs';
import { alwaysPresent, bigintFields, proto2Unwritten, rawFields, saturates, triState } from './tables.mjs';

/** range_end → rangeEnd, peerURLs → peerUrls, remaining_TTL → remainingTtl, NodeID → nodeId. */
function camelCase(name) {
  const words = name.match(/[A-Z]{2,}s?(?=[A-Z][a-z]|_|$)|[A-Z]?[a-z0-9]+|[A-Z]+/g);
  return words
    .map((word, i) => (i === 0 ? word.toLowerCase() : word[0].toUpperCase() + word.slice(1).toLowerCase()))
    .join('');
}

/** protobuf's own rule for JSON names: an underscore goes and the next letter becomes a capital. */
function jsonName(name) {
  return name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
}

const fullName = (object) => object.fullName.slice(1);

function packageOf(object) {
  let parent = object.parent;
  while (parent instanceof protobuf.Type) parent = parent.parent;
  return fullName(parent);
}

/** Type name within its file: nested types stand beside their parent, under their own name where that says enough. */
function localName(object) {
  if (!(object.parent instanceof protobuf.Type)) return object.name[0].toUpperCase() + object.name.slice(1);
  return object.name === 'Type' ? object.parent.name + object.name : object.name;
}

const option = (object, name) => object.options?.[`(versionpb.${name})`];

function kindOf(field) {
  if (field.resolvedType instanceof protobuf.Enum) return 'enum';
  if (field.resolvedType) return 'message';
  if (!['bool', 'bytes', 'string', 'uint32', 'int64', 'uint64'].includes(field.type)) {
    throw new Error(`${fullName(field)}: type ${field.type} has no codec yet`);
  }
  return field.type;
}

function readField(field, proto2) {
  const name = fullName(field);
  const kind = kindOf(field);
  const big = (kind === 'int64' || kind === 'uint64') && bigintFields.has(field.name);
  const oneof = field.partOf && !field.partOf.isProto3Optional ? field.partOf.name : undefined;
  const label = field.map ? 'map' : field.repeated ? 'repeated' : undefined;
  const always = alwaysPresent.has(name);
  return {
    name: field.name,
    key: camelCase(field.name),
    jsonName: jsonName(field.name),
    number: field.id,
    kind,
    big,
    saturates: kind === 'int64' && !big && saturates(fullName(field.parent), field.name),
    label,
    oneof,
    always,
    // `undefined` when unset.
    presence: label === undefined && ((kind === 'message' && !always) || oneof !== undefined || triState.has(name)),
    // Written even when zero.
    alwaysWritten:
      proto2 && label === undefined && kind !== 'bytes' && kind !== 'message' && !proto2Unwritten.has(name),
    strictUtf8: !proto2,
    packed: label === 'repeated' && !['bytes', 'string', 'message'].includes(kind) && field.packed,
    since: option(field, 'etcd_version_field'),
    comment: field.comment,
    type: field.resolvedType
      ? {
          package: packageOf(field.resolvedType),
          name: localName(field.resolvedType),
          fullName: fullName(field.resolvedType),
        }
      : undefined,
  };
}

function readMessage(type) {
  const proto2 = type._edition === 'proto2';
  const fields = type.fieldsArray.map((field) => readField(field.resolve(), proto2));
  const raw = rawFields[fullName(type)];
  const isRaw = typeof raw === 'function' ? raw : (name) => raw.includes(name);
  return {
    fullName: fullName(type),
    package: packageOf(type),
    name: localName(type),
    comment: type.comment,
    since: option(type, 'etcd_version_msg'),
    fields,
    rawFields:
      raw && fields.map((f) => (f.kind === 'message' && isRaw(f.name) ? { ...f, kind: 'raw', type: undefined } : f)),
  };
}

/** Messages that can hold themselves through what `fieldsOf` gives: their decoders count the depth. */
function markRecursive(messages, byName) {
  const reaches = (target, seen, fields) =>
    fields.some((field) => {
      const next = field.type && field.kind === 'message' ? field.type.fullName : undefined;
      if (next === undefined) return false;
      if (next === target) return true;
      if (seen.has(next)) return false;
      seen.add(next);
      return reaches(target, seen, byName.get(next).fields);
    });
  for (const message of messages) {
    message.recursive = reaches(message.fullName, new Set(), message.fields);
  }
}

function markUsedOutside(messages, byName) {
  for (const message of messages) {
    for (const { kind, type } of message.fields) {
      if (kind === 'message' && type.package !== message.package) byName.get(type.fullName).usedOutside = true;
    }
  }
}

export function readModel(root) {
  const packages = new Map();
  const all = [];
  const slot = (name) => {
    const alias = name.split('.').length > 1 ? 'healthpb' : name;
    if (!packages.has(name)) packages.set(name, { name, alias, file: alias, messages: [], enums: [] });
    return packages.get(name);
  };
  const visit = (object) => {
    if (fullName(object).startsWith('google')) return;
    if (object instanceof protobuf.Type) {
      const message = readMessage(object);
      all.push(message);
      slot(message.package).messages.push(message);
    }
    if (object instanceof protobuf.Enum) {
      slot(packageOf(object)).enums.push({
        name: localName(object),
        comment: object.comment,
        values: object.values,
        comments: object.comments ?? {},
      });
    }
    for (const child of object.nestedArray ?? []) visit(child);
  };
  visit(root);
  const byName = new Map(all.map((message) => [message.fullName, message]));
  markRecursive(all, byName);
  markUsedOutside(all, byName);
  return { packages, messages: byName };
}
