// Prints the TypeScript of one enum or message. What the generated code calls stands in src/*.ts.

/** Names the generated code may import, by module. */
export const runtimeNames = {
  allocate: { values: ['allocate'] },
  codec: { types: ['Codec', 'Init', 'MessageCodec'] },
  'decode-error': { values: ['DecodeError', 'inMessage'] },
  'decode-support': {
    values: ['checkWindow', 'checkWritten', 'gatherUnknown', 'keepUnknown', 'mergeDuplicates'],
    types: ['MergeTable', 'Ranges'],
  },
  utf8: { values: ['utf8Length', 'writeUtf8'] },
  wire: {
    values: [
      'cursor',
      'delimitedLength',
      'emptyBytes',
      'nestingMax',
      'readBool',
      'readBytes',
      'readEnum',
      'readInt',
      'readInt64',
      'readIntSaturated',
      'readLength',
      'readString',
      'readStringLossy',
      'readTag',
      'readUint',
      'readUint32',
      'readUint64',
      'skipField',
      'varintLength',
      'varintLength64',
      'writeDelimited',
      'writeRaw',
      'writeVarint',
      'writeVarint64',
    ],
  },
};

// Locals of generated functions: a field of such a name would shadow them.
const reservedNames = new Set(
  [
    'bytes',
    'start',
    'end',
    'depth',
    'unknown',
    'position',
    'tag',
    'next',
    'length',
    'inner',
    'merged',
    'items',
    'item',
    'size',
    'm',
    'init',
  ].concat(Object.values(runtimeNames).flatMap((names) => names.values ?? [])),
);

function docComment(lines, indent = '') {
  const text = lines
    .filter(Boolean)
    .join('\n')
    .split('\n')
    .filter((line) => line !== '');
  if (text.length === 0) return [];
  if (text.length === 1) return [`${indent}/** ${text[0]} */`];
  return [`${indent}/**`, ...text.map((line) => `${indent} * ${line}`), `${indent} */`];
}

const block = (head, lines) => [head, ...lines.map((line) => (line === '' ? '' : `  ${line}`)), '}'];

export function emitEnum({ name, comment, values, comments }) {
  const lines = [
    ...docComment([comment]),
    `export const ${name} = {`,
    ...Object.entries(values).flatMap(([value, number]) => [
      ...docComment([comments[value]], '  '),
      `  ${value}: ${number},`,
    ]),
    '} as const;',
    `/** One of {@link ${name}}; other numbers may come over the wire and are kept. */`,
    `export type ${name} = number;`,
    '',
  ];
  return lines.join('\n');
}

/** One printable form of a message: the whole one or the Raw one. */
class Shape {
  constructor(message, model, raw) {
    this.message = message;
    this.model = model;
    this.raw = raw;
    this.name = raw ? `${message.name}Raw` : message.name;
    this.fields = raw ? message.rawFields : message.fields;
    this.recursive = message.recursive && !raw;
    const numbered = [...this.fields].sort((a, b) => a.number - b.number);
    // etcd 3.7 writes members of a oneof behind all other fields.
    this.writeOrder = [...numbered.filter((f) => !f.oneof), ...numbered.filter((f) => f.oneof)];
    for (const { key } of this.fields) {
      if (reservedNames.has(key)) throw new Error(`${message.fullName}: field ${key} shadows a local`);
    }
  }

  /** `prefixKeyValue` or, from another package, `mvccpb.prefixKeyValue`. */
  reference(type, prefix = '') {
    const { alias } = this.model.packages.get(type.package);
    return `${type.package === this.message.package ? '' : `${alias}.`}${prefix}${type.name}`;
  }

  isRecursive(type) {
    return this.model.messages.get(type.fullName).recursive;
  }

  itemType(field) {
    switch (field.kind) {
      case 'bool':
        return 'boolean';
      case 'string':
        return 'string';
      case 'bytes':
      case 'raw':
        return 'Uint8Array';
      case 'message':
      case 'enum':
        return this.reference(field.type);
      default:
        return field.big ? 'bigint' : 'number';
    }
  }

  fieldType(field) {
    const item = this.itemType(field);
    if (field.label === 'repeated') return `${item}[]`;
    if (field.label === 'map') return `Map<string, ${item}>`;
    return field.presence ? `${item} | undefined` : item;
  }

  defaultOf(field) {
    if (field.label === 'repeated') return '[]';
    if (field.label === 'map') return 'new Map()';
    if (field.presence) return 'undefined';
    switch (field.kind) {
      case 'message':
        return `${this.reference(field.type, 'create')}()`;
      case 'bytes':
        return 'emptyBytes';
      case 'string':
        return "''";
      case 'bool':
        return 'false';
      default:
        return field.big ? '0n' : '0';
    }
  }

  emit() {
    return [
      ...this.emitInterface(),
      '',
      ...this.emitCreate(),
      '',
      ...this.emitDecode(),
      '',
      ...this.emitSize(),
      '',
      ...this.emitWrite(),
      '',
      ...this.emitCodec(),
      '',
    ];
  }

  emitInterface() {
    const kept = this.fields.filter((f) => f.kind === 'raw').map((f) => f.key);
    const doc = this.raw
      ? [`A {@link ${this.message.name}} whose sub-messages stay encoded: ${kept.join(', ')}.`]
      : [this.message.comment];
    const lines = this.fields.flatMap((field) => [
      ...docComment([field.comment]),
      `${field.key}: ${this.fieldType(field)};`,
    ]);
    lines.push('unknown?: Uint8Array | undefined;');
    return [...docComment(doc), ...block(`export interface ${this.name} {`, lines)];
  }

  emitCreate() {
    const lines = ['return {'];
    for (const field of this.fields) {
      const given = `init?.${field.key}`;
      lines.push(`  ${field.key}: ${field.presence ? given : `${given} ?? ${this.defaultOf(field)}`},`);
    }
    lines.push('  unknown: init?.unknown,', '};');
    return block(`${this.functionHead('create')}(init?: Init<${this.name}>): ${this.name} {`, lines);
  }

  /** Functions that other packages call are exported. */
  functionHead(prefix) {
    return `${!this.raw && this.message.usedOutside ? 'export ' : ''}function ${prefix}${this.name}`;
  }

  reader(field) {
    switch (field.kind) {
      case 'bool':
        return 'readBool';
      case 'bytes':
      case 'raw':
        return 'readBytes';
      case 'string':
        return field.strictUtf8 ? 'readString' : 'readStringLossy';
      case 'enum':
        return 'readEnum';
      case 'uint32':
        return 'readUint32';
      default: {
        if (field.saturates) return 'readIntSaturated';
        const unsigned = field.kind === 'uint64';
        return field.big ? (unsigned ? 'readUint64' : 'readInt64') : unsigned ? 'readUint' : 'readInt';
      }
    }
  }

  wireType(field) {
    return ['bytes', 'string', 'message', 'raw'].includes(field.kind) || field.label === 'map' ? 2 : 0;
  }

  emitDecode() {
    const lines = [];
    if (this.recursive) lines.push("if (depth > nestingMax) throw new DecodeError('too-deep', start);");
    for (const field of this.fields) {
      if (field.always) lines.push(`let ${field.key}: ${this.itemType(field)} | undefined;`);
      else if (field.label) lines.push(`const ${field.key}: ${this.fieldType(field)} = ${this.defaultOf(field)};`);
      else if (field.presence) lines.push(`let ${field.key}: ${this.fieldType(field)};`);
      else lines.push(`let ${field.key}: ${this.fieldType(field)} = ${this.defaultOf(field)};`);
    }
    lines.push('let unknown: Ranges | undefined;', 'let position = start;', 'while (position < end) {');
    lines.push('  const tag = readTag(bytes, position, end);');
    const keep = [
      'const next = skipField(bytes, cursor.position, end, tag);',
      'unknown = keepUnknown(unknown, position, next);',
      'position = next;',
    ];
    if (this.fields.length === 0) lines.push(...keep.map((line) => `  ${line}`));
    else {
      lines.push('  switch (tag) {');
      for (const field of [...this.fields].sort((a, b) => a.number - b.number)) {
        lines.push(...this.decodeCase(field).map((line) => `    ${line}`));
      }
      lines.push('    default: {', ...keep.map((line) => `      ${line}`), '    }', '  }');
    }
    lines.push('}', 'return {');
    for (const field of this.fields) {
      lines.push(field.always ? `  ${field.key}: ${field.key} ?? ${this.defaultOf(field)},` : `  ${field.key},`);
    }
    lines.push('  unknown: unknown === undefined ? undefined : gatherUnknown(bytes, unknown),', '};');
    const depth = this.recursive ? ', depth: number' : '';
    const head = `${this.functionHead('decode')}(bytes: Uint8Array, start: number, end: number${depth}): ${this.name} {`;
    return [...this.emitMergeTable(), ...block(head, lines)];
  }

  get mergeFields() {
    return this.fields.filter((f) => !f.label && (f.kind === 'message' || f.kind === 'raw'));
  }

  get mergeTableName() {
    return `${this.name[0].toLowerCase()}${this.name.slice(1)}Merge`;
  }

  emitMergeTable() {
    if (this.mergeFields.length === 0) return [];
    const oneofs = [...new Set(this.fields.map((f) => f.oneof).filter(Boolean))];
    const entries = this.mergeFields.map((f) => `  [${f.number}, ${f.oneof ? oneofs.indexOf(f.oneof) + 1 : 0}],`);
    return [`const ${this.mergeTableName}: MergeTable = new Map([`, ...entries, ']);', ''];
  }

  decodeCase(field) {
    const { key } = field;
    const tag = field.number * 8 + this.wireType(field);
    const lines = [`case ${tag}: {`];
    if (field.label === 'map') {
      lines.push(
        '  const length = readLength(bytes, cursor.position, end);',
        '  const inner = cursor.position;',
        '  position = inner + length;',
        `  decode${this.name}${field.name}Entry(bytes, inner, position, ${key});`,
      );
    } else if (field.kind === 'message') {
      const decode = this.reference(field.type, 'decode');
      if (!field.label) lines.push(...this.mergeLines(key));
      const depth = this.isRecursive(field.type) ? (this.recursive ? ', depth + 1' : ', 0') : '';
      const call = `${decode}(bytes, inner, position${depth})`;
      lines.push(
        '  const length = readLength(bytes, cursor.position, end);',
        '  const inner = cursor.position;',
        '  position = inner + length;',
        field.label ? `  ${key}.push(${call});` : `  ${key} = ${call};`,
      );
    } else {
      if (field.kind === 'raw' && !field.label) lines.push(...this.mergeLines(key));
      const call = `${this.reader(field)}(bytes, cursor.position, end)`;
      lines.push(field.label ? `  ${key}.push(${call});` : `  ${key} = ${call};`, '  position = cursor.position;');
    }
    for (const other of this.fields) {
      if (field.oneof && other !== field && other.oneof === field.oneof) lines.push(`  ${other.key} = undefined;`);
    }
    lines.push('  break;', '}');
    if (field.label === 'repeated' && this.wireType(field) === 0) lines.push(...this.packedCase(field));
    return lines;
  }

  /** Both forms of repeated numbers are read, whichever is written. */
  packedCase(field) {
    return [
      `case ${field.number * 8 + 2}: {`,
      '  const length = readLength(bytes, cursor.position, end);',
      '  const inner = cursor.position + length;',
      '  position = cursor.position;',
      '  while (position < inner) {',
      `    ${field.key}.push(${this.reader(field)}(bytes, position, inner));`,
      '    position = cursor.position;',
      '  }',
      '  break;',
      '}',
    ];
  }

  mergeLines(key) {
    const depth = this.recursive ? ', depth' : '';
    return [
      `  if (${key} !== undefined) {`,
      `    const merged = mergeDuplicates(bytes, start, end, ${this.mergeTableName});`,
      `    return decode${this.name}(merged, 0, merged.length${depth});`,
      '  }',
    ];
  }

  tagBytes(field, wireType = this.wireType(field)) {
    const bytes = [];
    let rest = field.number * 8 + wireType;
    for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest & 0x7f) | 0x80);
    return [...bytes, rest];
  }

  tagLines(field, wireType) {
    return this.tagBytes(field, wireType).map(
      (byte) => `target[position++] = 0x${byte.toString(16).padStart(2, '0')};`,
    );
  }

  /** The condition under which a single field is written; undefined for always. */
  condition(field, value) {
    if (field.alwaysWritten || field.always) return undefined;
    if (field.presence) return `${value} !== undefined`;
    switch (field.kind) {
      case 'bytes':
        return `${value}.length !== 0`;
      case 'string':
        return `${value} !== ''`;
      case 'bool':
        return value;
      default:
        return `${value} !== ${field.big ? '0n' : '0'}`;
    }
  }

  sizeOf(field, value) {
    switch (field.kind) {
      case 'bool':
        return '1';
      case 'bytes':
      case 'raw':
        return `delimitedLength(${value}.length)`;
      case 'string':
        return `delimitedLength(utf8Length(${value}))`;
      case 'message':
        return `delimitedLength(${this.reference(field.type, 'size')}(${value}))`;
      default:
        return field.big ? `varintLength64(${value})` : `varintLength(${value})`;
    }
  }

  emitSize() {
    const lines = this.fields.length === 0 ? [] : ['let size = 0;'];
    for (const field of this.writeOrder) {
      const value = `m.${field.key}`;
      const tag = this.tagBytes(field).length;
      if (field.packed) {
        lines.push(
          `if (${value}.length !== 0) {`,
          '  let length = 0;',
          `  for (const item of ${value}) length += ${this.sizeOf(field, 'item')};`,
          `  size += ${tag} + delimitedLength(length);`,
          '}',
        );
      } else if (field.label === 'map') {
        const entry = `1 + delimitedLength(utf8Length(key)) + 1 + ${this.sizeOf(field, 'item')}`;
        lines.push(`for (const [key, item] of ${value}) size += ${tag} + delimitedLength(${entry});`);
      } else if (field.label) {
        lines.push(`for (const item of ${value}) size += ${tag} + ${this.sizeOf(field, 'item')};`);
      } else {
        const condition = this.condition(field, value);
        const add = field.kind === 'bool' ? `size += ${tag + 1};` : `size += ${tag} + ${this.sizeOf(field, value)};`;
        lines.push(condition ? `if (${condition}) ${add}` : add);
      }
    }
    if (this.fields.length === 0) lines.push('return m.unknown === undefined ? 0 : m.unknown.length;');
    else lines.push('if (m.unknown !== undefined) size += m.unknown.length;', 'return size;');
    return block(`${this.functionHead('size')}(m: ${this.name}): number {`, lines);
  }

  /** Statements that write the value behind its tag. */
  writeLines(field, value) {
    switch (field.kind) {
      case 'bool':
        return [`target[position++] = ${field.alwaysWritten || field.presence ? `${value} ? 1 : 0` : '1'};`];
      case 'bytes':
      case 'raw':
        return [`position = writeDelimited(${value}, target, position);`];
      case 'string':
        return [
          `const length = utf8Length(${value});`,
          'position = writeVarint(length, target, position);',
          `position = writeUtf8(${value}, length, target, position);`,
        ];
      case 'message':
        return [
          `position = writeVarint(${this.reference(field.type, 'size')}(${value}), target, position);`,
          `position = ${this.reference(field.type, 'write')}(${value}, target, position);`,
        ];
      default:
        return [`position = ${field.big ? 'writeVarint64' : 'writeVarint'}(${value}, target, position);`];
    }
  }

  emitWrite() {
    const lines = ['let position = start;'];
    for (const field of this.writeOrder) {
      const value = `m.${field.key}`;
      const indent = (list) => list.map((line) => `  ${line}`);
      if (field.packed) {
        lines.push(
          `if (${value}.length !== 0) {`,
          '  let length = 0;',
          `  for (const item of ${value}) length += ${this.sizeOf(field, 'item')};`,
          ...indent(this.tagLines(field, 2)),
          '  position = writeVarint(length, target, position);',
          `  for (const item of ${value}) ${this.writeLines(field, 'item')[0]}`,
          '}',
        );
      } else if (field.label === 'map') {
        lines.push(...this.writeMap(field, value));
      } else if (field.label) {
        lines.push(
          `for (const item of ${value}) {`,
          ...indent([...this.tagLines(field), ...this.writeLines(field, 'item')]),
          '}',
        );
      } else {
        const condition = this.condition(field, value);
        const body = [...this.tagLines(field), ...this.writeLines(field, value)];
        lines.push(condition ? `if (${condition}) {` : '{', ...indent(body), '}');
      }
    }
    lines.push('if (m.unknown !== undefined) position = writeRaw(m.unknown, target, position);', 'return position;');
    const head = `${this.functionHead('write')}(m: ${this.name}, target: Uint8Array, start: number): number {`;
    return block(head, lines);
  }

  /** A map entry is a message of key (1) and value (2), both always written. */
  writeMap(field, value) {
    return [
      `for (const [key, item] of ${value}) {`,
      '  const length = utf8Length(key);',
      `  const inner = ${this.reference(field.type, 'size')}(item);`,
      ...this.tagLines(field).map((line) => `  ${line}`),
      '  position = writeVarint(2 + delimitedLength(length) + delimitedLength(inner), target, position);',
      '  target[position++] = 0x0a;',
      '  position = writeVarint(length, target, position);',
      '  position = writeUtf8(key, length, target, position);',
      '  target[position++] = 0x12;',
      '  position = writeVarint(inner, target, position);',
      `  position = ${this.reference(field.type, 'write')}(item, target, position);`,
      '}',
    ];
  }

  emitMapEntries() {
    return this.fields
      .filter((field) => field.label === 'map')
      .flatMap((field) => [
        '',
        ...block(
          `function decode${this.name}${field.name}Entry(bytes: Uint8Array, start: number, end: number, items: ${this.fieldType(field)}): void {`,
          [
            "let key = '';",
            `let item: ${this.itemType(field)} | undefined;`,
            'let position = start;',
            'while (position < end) {',
            '  const tag = readTag(bytes, position, end);',
            '  if (tag === 10) {',
            '    key = readString(bytes, cursor.position, end);',
            '    position = cursor.position;',
            '  } else if (tag === 18) {',
            '    const length = readLength(bytes, cursor.position, end);',
            '    const inner = cursor.position;',
            '    position = inner + length;',
            `    item = ${this.reference(field.type, 'decode')}(bytes, inner, position);`,
            '  } else position = skipField(bytes, cursor.position, end, tag);',
            '}',
            `items.set(key, item ?? ${this.reference(field.type, 'create')}());`,
          ],
        ),
      ]);
  }

  describe(field) {
    const parts = [
      `name: '${field.name}'`,
      `key: '${field.key}'`,
      `jsonName: '${field.jsonName}'`,
      `number: ${field.number}`,
      `kind: '${field.kind}'`,
    ];
    if (field.big) parts.push('big: true');
    if (field.saturates) parts.push('saturates: true');
    if (field.label) parts.push(`label: '${field.label}'`);
    if (field.oneof) parts.push(`oneof: '${field.oneof}'`);
    if (field.presence) parts.push('presence: true');
    if (field.since) parts.push(`since: '${field.since}'`);
    if (field.kind === 'enum') {
      parts.push(`values: ${this.reference(field.type)}`, `enumName: '${field.type.fullName}'`);
    }
    if (field.kind === 'message') parts.push(`message: () => ${this.reference(field.type)}`);
    return `{ ${parts.join(', ')} },`;
  }

  emitCodec() {
    const { fullName, since } = this.message;
    const name = `${fullName}${this.raw ? 'Raw' : ''}`;
    const depth = this.recursive ? ', 0' : '';
    const lines = [`name: '${name}',`];
    if (!this.raw) {
      if (since) lines.push(`since: '${since}',`);
      const fields = this.fields.map((field) => `  ${this.describe(field)}`);
      lines.push(...(fields.length === 0 ? ['fields: [],'] : ['fields: [', ...fields, '],']));
    }
    lines.push(
      `create: create${this.name},`,
      'decode(bytes, start = 0, end = bytes.length) {',
      '  checkWindow(bytes, start, end);',
      '  try {',
      `    return decode${this.name}(bytes, start, end${depth});`,
      '  } catch (error) {',
      `    throw inMessage(error, '${name}');`,
      '  }',
      '},',
      `byteLength: size${this.name},`,
      'write(message, target, position) {',
      `  return checkWritten(write${this.name}(message, target, position), target);`,
      '},',
      'encode(message) {',
      `  const target = allocate(size${this.name}(message));`,
      `  write${this.name}(message, target, 0);`,
      '  return target;',
      '},',
    );
    const type = this.raw ? 'Codec' : 'MessageCodec';
    return [
      ...this.emitMapEntries().slice(1),
      ...(this.fields.some((f) => f.label === 'map') ? [''] : []),
      `export const ${this.name}: ${type}<${this.name}> = {`,
      ...lines.map((line) => `  ${line}`),
      '};',
    ];
  }
}

export function emitMessage(message, model) {
  const shapes = [new Shape(message, model, false)];
  if (message.rawFields) shapes.push(new Shape(message, model, true));
  return shapes.flatMap((shape) => shape.emit()).join('\n');
}
