import { etcdserverpb, services } from '@quorate/api';
import { ClientPort, type Login, textOf } from '../clients/client-port.ts';
import type { World } from '../cluster/world.ts';

const timeoutMs = 5_000;
const { AlarmAction, AlarmRequest } = etcdserverpb;

/** Looks at the alarms of a cluster and lowers them. */
export class AlarmDuty {
  private readonly world: World;
  private readonly port: ClientPort;
  private turns = 0;

  constructor(world: World, login: Login | undefined) {
    this.world = world;
    this.port = new ClientPort('alarms', world.network, login);
  }

  /** Of that type, as a member that can be trusted tells; undefined when it does not answer. */
  async list(alarm: etcdserverpb.AlarmType): Promise<readonly etcdserverpb.AlarmMember[] | undefined> {
    const outcome = await this.ask(AlarmRequest.create({ action: AlarmAction.GET, alarm }));
    return outcome.kind === 'ok' ? outcome.response.alarms : undefined;
  }

  /** @returns whether none was left. */
  async lower(alarm: etcdserverpb.AlarmType): Promise<boolean> {
    const raised = await this.list(alarm);
    for (const { memberId } of raised ?? []) {
      const outcome = await this.ask(AlarmRequest.create({ action: AlarmAction.DEACTIVATE, memberId, alarm }));
      this.world.trace.note('alarms', `lower alarm ${alarm} of ${memberId.toString(16)}: ${textOf(outcome)}`);
    }
    return raised?.length === 0;
  }

  private async ask(request: etcdserverpb.AlarmRequest) {
    const machines = this.world.machines.filter((machine) => !this.world.doubts.has(machine));
    const machine = machines[this.turns++ % machines.length] as (typeof machines)[number];
    return this.port.call(machine, services.Maintenance.methods.Alarm, request, { timeoutMs });
  }
}
