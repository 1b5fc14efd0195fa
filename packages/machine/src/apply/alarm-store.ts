import { etcdserverpb } from '@quorate/api';
import { copyBytes, emptyBytes, latin1ToBytes } from '@quorate/base';
import { type Backend, BucketId } from '@quorate/storage';

const { AlarmMember, AlarmType } = etcdserverpb;
type Alarm = etcdserverpb.AlarmMember;

/** Alarms of the cluster, kept in bucket `alarm`: the key is the encoded AlarmMember, the value empty. */
export class AlarmStore {
  private backend: Pick<Backend, 'put' | 'delete' | 'range'>;
  private readonly alarms = new Map<string, Alarm>();
  /** Whether an alarm of the type is raised anywhere. */
  hasNoSpace = false;
  hasCorrupt = false;

  constructor(backend: Pick<Backend, 'put' | 'delete' | 'range'>) {
    this.backend = backend;
    this.load();
  }

  /** Starts over with what another backend holds (a leader's snapshot). */
  restore(backend: Pick<Backend, 'put' | 'delete' | 'range'>): void {
    this.backend = backend;
    this.alarms.clear();
    this.load();
  }

  private load(): void {
    this.backend.range(BucketId.alarm, latin1ToBytes('\0'), undefined, Number.MAX_SAFE_INTEGER, (key) => {
      const alarm = AlarmMember.decode(copyBytes(key));
      this.alarms.set(nameOf(alarm.memberId, alarm.alarm), alarm);
      return true;
    });
    this.note();
  }

  /** All alarms, or those of one type. */
  list(type: etcdserverpb.AlarmType): Alarm[] {
    return [...this.alarms.values()].filter((alarm) => type === AlarmType.NONE || alarm.alarm === type);
  }

  /** @returns the alarm, raised now or before; undefined for type NONE. */
  activate(memberId: bigint, type: etcdserverpb.AlarmType): Alarm | undefined {
    if (type === AlarmType.NONE) return undefined;
    const name = nameOf(memberId, type);
    const before = this.alarms.get(name);
    if (before !== undefined) return before;
    const alarm = AlarmMember.create({ memberId, alarm: type });
    this.alarms.set(name, alarm);
    this.backend.put(BucketId.alarm, copyBytes(AlarmMember.encode(alarm)), emptyBytes);
    this.note();
    return alarm;
  }

  /** @returns the alarm that was lowered; undefined when it was not raised. */
  deactivate(memberId: bigint, type: etcdserverpb.AlarmType): Alarm | undefined {
    const name = nameOf(memberId, type);
    const alarm = this.alarms.get(name);
    if (alarm === undefined) return undefined;
    this.alarms.delete(name);
    this.backend.delete(BucketId.alarm, copyBytes(AlarmMember.encode(alarm)));
    this.note();
    return alarm;
  }

  private note(): void {
    this.hasNoSpace = this.list(AlarmType.NOSPACE).length > 0;
    this.hasCorrupt = this.list(AlarmType.CORRUPT).length > 0;
  }
}

function nameOf(memberId: bigint, type: number): string {
  return `${memberId}/${type}`;
}
