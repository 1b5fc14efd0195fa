/** Initial values; what is missing gets its default. Shallow: sub-messages must be whole. */
export type Init<M> = { [Key in keyof M]?: M[Key] | undefined };

/** Bytes to message and back. A message is a plain object with all fields of its type, in a fixed order (create one with `create`). */
export interface Codec<M> {
  /** Full name, for example `etcdserverpb.PutRequest`. */
  readonly name: string;
  create(init?: Init<M>): M;
  /**
   * Reads `bytes[start, end)`, by default all. Bytes fields are views on the input, not copies.
   * @throws DecodeError
   */
  decode(bytes: Uint8Array, start?: number, end?: number): M;
  byteLength(message: M): number;
  /**
   * Writes into `target` from `position` on, where there must be `byteLength` bytes.
   * @returns the position behind it.
   */
  write(message: M, target: Uint8Array, position: number): number;
  /** The bytes alone; small ones may share a slab with others, see `allocate`. */
  encode(message: M): Uint8Array;
}

/** A {@link Codec} with what the JSON mapping and the tools need to know of the fields. */
export interface MessageCodec<M> extends Codec<M> {
  /** In declaration order, which is also the order of JSON. */
  readonly fields: readonly Field[];
  /** The etcd release that brought the message, as `3.4`. */
  readonly since?: string;
}

/** What every message type is assignable to. */
export type AnyMessageCodec = MessageCodec<object>;

/** Numbers of an enum by name. Enums are open: other numbers can come over the wire and are kept. */
export interface EnumValues {
  readonly [name: string]: number;
}

export interface Field {
  /** As in the .proto file; what JSON output uses. */
  readonly name: string;
  /** Property of the message object. */
  readonly key: string;
  /** Second spelling that JSON input may use. */
  readonly jsonName: string;
  readonly number: number;
  readonly kind: 'bool' | 'bytes' | 'string' | 'uint32' | 'int64' | 'uint64' | 'enum' | 'message';
  /** A `bigint`; other 64-bit integers are safe `number`s. */
  readonly big?: true;
  /** Beyond the safe integers it is read as the largest or smallest of them; others of the kind are refused. */
  readonly saturates?: true;
  readonly label?: 'repeated' | 'map';
  /** Name of the oneof whose member the field is. */
  readonly oneof?: string;
  /** Unset is told from zero (`undefined`). */
  readonly presence?: true;
  /** The etcd release that brought the field, when later than its message. */
  readonly since?: string;
  readonly values?: EnumValues;
  readonly enumName?: string;
  /** Type of the field, or of a map's values (keys are strings). */
  readonly message?: () => AnyMessageCodec;
}
