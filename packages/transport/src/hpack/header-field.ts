/** What a header name means to us; found once when the field is made. */
export const FieldKind = {
  regular: 0,
  method: 1,
  scheme: 2,
  path: 3,
  authority: 4,
  status: 5,
  contentType: 6,
  te: 7,
  grpcTimeout: 8,
  grpcEncoding: 9,
  contentLength: 10,
  grpcStatus: 11,
  grpcMessage: 12,
  /** connection, keep-alive, proxy-connection, transfer-encoding, upgrade: malformed in HTTP/2 (RFC 9113 section 8.2.2). */
  connectionSpecific: 13,
  /** A pseudo-header that RFC 9113 does not define. */
  unknownPseudo: 14,
  /** Characters that a name or value may not have (section 8.2.1). */
  invalid: 15,
} as const;

const kindByName = new Map<string, number>([
  [':method', FieldKind.method],
  [':scheme', FieldKind.scheme],
  [':path', FieldKind.path],
  [':authority', FieldKind.authority],
  [':status', FieldKind.status],
  ['content-type', FieldKind.contentType],
  ['te', FieldKind.te],
  ['grpc-timeout', FieldKind.grpcTimeout],
  ['grpc-encoding', FieldKind.grpcEncoding],
  ['content-length', FieldKind.contentLength],
  ['grpc-status', FieldKind.grpcStatus],
  ['grpc-message', FieldKind.grpcMessage],
  ['connection', FieldKind.connectionSpecific],
  ['keep-alive', FieldKind.connectionSpecific],
  ['proxy-connection', FieldKind.connectionSpecific],
  ['transfer-encoding', FieldKind.connectionSpecific],
  ['upgrade', FieldKind.connectionSpecific],
]);

/** The kind of a field with this name and any valid value. */
export function kindOfName(name: string): number {
  const kind = kindByName.get(name);
  if (kind !== undefined) return kind;
  if (name.length === 0) return FieldKind.invalid;
  if (name.charCodeAt(0) === 0x3a) return FieldKind.unknownPseudo;
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    if (code <= 0x20 || code >= 0x7f || code === 0x3a || (code >= 0x41 && code <= 0x5a)) return FieldKind.invalid;
  }
  return FieldKind.regular;
}

function validValue(value: string): boolean {
  const length = value.length;
  if (length === 0) return true;
  const first = value.charCodeAt(0);
  const last = value.charCodeAt(length - 1);
  if (first === 0x20 || first === 0x09 || last === 0x20 || last === 0x09) return false;
  for (let i = 0; i < length; i++) {
    const code = value.charCodeAt(i);
    if (code === 0 || code === 0x0a || code === 0x0d) return false;
  }
  return true;
}

/** One header. Immutable but for `derived`. Values are latin1: one character a byte. */
export class HeaderField {
  readonly name: string;
  readonly value: string;
  /** What it counts in the table and in the list size: 32 more than its characters (RFC 7541 section 4.1). */
  readonly size: number;
  /** {@link FieldKind} of the name, whatever the value. */
  readonly nameKind: number;
  /** {@link FieldKind}. */
  readonly kind: number;
  /** What the layer above worked out from the value, kept as long as the field lives in a table: the route of a path, say. */
  derived: unknown = undefined;

  constructor(name: string, value: string, nameKind: number = kindOfName(name)) {
    this.name = name;
    this.value = value;
    this.size = name.length + value.length + 32;
    this.nameKind = nameKind;
    this.kind = validValue(value) ? nameKind : FieldKind.invalid;
  }
}
