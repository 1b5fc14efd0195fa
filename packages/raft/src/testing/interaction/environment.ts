import type { RaftConfig } from '../../core/config.ts';
import { describeMessage, describeReady } from '../../describe.ts';
import { type Message, MessageType } from '../../message.ts';
import { isLocalTarget, type Snapshot } from '../../state.ts';
import { EnvironmentNode } from './environment-node.ts';
import { Output } from './output.ts';

export interface Recipient {
  readonly id: bigint;
  readonly drop: boolean;
}

/** Several nodes on a network that delivers when it is told to. */
export class Environment {
  readonly output = new Output();
  readonly nodes: EnvironmentNode[] = [];
  messages: Message[] = [];
  private randomState = 1;

  /** By number, from 1. @throws {Error} when there is none */
  node(id: bigint): EnvironmentNode {
    const node = this.nodes[Number(id) - 1];
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }

  get ids(): bigint[] {
    return this.nodes.map((_, i) => BigInt(i + 1));
  }

  add(count: number, config: Omit<RaftConfig, 'id' | 'storage' | 'random' | 'logger'>, snapshot: Snapshot): void {
    for (let i = 0; i < count; i++) {
      const id = BigInt(this.nodes.length + 1);
      const random = () => {
        this.randomState = (Math.imul(this.randomState, 1664525) + 1013904223) >>> 0;
        return this.randomState;
      };
      this.nodes.push(new EnvironmentNode({ ...config, id, random, logger: this.output.logger() }, snapshot));
    }
  }

  processReady(id: bigint): void {
    const node = this.node(id);
    const ready = node.raw.ready();
    const text = describeReady(ready);
    this.output.write(text.endsWith('\n') ? text : `${text}\n`);
    const isAsync = node.config.asyncStorageWrites === true;
    if (!isAsync) {
      node.store(ready.hardState, ready.entries, ready.snapshot);
      node.apply(ready.committedEntries);
    }
    for (const message of ready.messages) {
      if (message.type === MessageType.MsgStorageAppend) node.appendWork.push(message);
      else if (message.type === MessageType.MsgStorageApply) node.applyWork.push(message);
      else this.messages.push(message);
    }
    if (!isAsync) node.raw.advance(ready);
  }

  processAppendThread(id: bigint): void {
    const node = this.node(id);
    const message = node.appendWork.shift();
    if (message === undefined) {
      this.output.write('no append work to perform\n');
      return;
    }
    this.processWork(message, () => {
      const { term, vote, commit } = message;
      node.store({ term, vote, commit }, message.entries, message.snapshot);
    });
  }

  processApplyThread(id: bigint): void {
    const node = this.node(id);
    const message = node.applyWork.shift();
    if (message === undefined) {
      this.output.write('no apply work to perform\n');
      return;
    }
    this.processWork(message, () => node.apply(message.entries));
  }

  private processWork(message: Message, work: () => void): void {
    this.output.write(`Processing:\n${describeMessage({ ...message, responses: [] })}\n`);
    work();
    this.output.write('Responses:\n');
    for (const response of message.responses) this.output.write(`${describeMessage(response)}\n`);
    this.messages.push(...message.responses);
  }

  /** Takes the queued messages to that node off the queue; local ones can not be dropped. */
  private takeMessages(to: Recipient, type: MessageType | undefined): Message[] {
    const taken: Message[] = [];
    const others: Message[] = [];
    for (const message of this.messages) {
      const isLocal = message.from === message.to || isLocalTarget(message.from) || isLocalTarget(message.to);
      const fits = message.to === to.id && !(to.drop && isLocal) && (type === undefined || message.type === type);
      (fits ? taken : others).push(message);
    }
    this.messages = others;
    return taken;
  }

  /** Delivers to each in turn, or drops. @returns how many messages there were. */
  deliver(recipients: readonly Recipient[], type?: MessageType): number {
    let count = 0;
    for (const to of recipients) {
      const taken = this.takeMessages(to, type);
      count += taken.length;
      for (const message of taken) {
        this.output.write(`${to.drop ? 'dropped: ' : ''}${describeMessage(message)}\n`);
        if (to.drop) continue;
        const failed = this.node(to.id).raw.step(message);
        if (failed !== undefined) this.output.write(`${failed.message}\n`);
      }
    }
    return count;
  }

  /** Everything that can happen without time passing, in rounds. */
  stabilize(ids: readonly bigint[]): void {
    for (let done = false; !done; ) {
      done = true;
      const under = (header: string, body: () => void) => {
        this.output.write(`> ${header}\n`);
        this.output.indented(body);
        done = false;
      };
      for (const id of ids) {
        if (this.node(id).raw.hasReady()) under(`${id} handling Ready`, () => this.processReady(id));
      }
      for (const id of ids) {
        if (!this.messages.some((message) => message.to === id)) continue;
        under(`${id} receiving messages`, () => this.deliver([{ id, drop: false }]));
      }
      for (const id of ids) {
        const { appendWork } = this.node(id);
        if (appendWork.length === 0) continue;
        under(`${id} processing append thread`, () => {
          while (appendWork.length > 0) this.processAppendThread(id);
        });
      }
      for (const id of ids) {
        const { applyWork } = this.node(id);
        if (applyWork.length === 0) continue;
        under(`${id} processing apply thread`, () => {
          while (applyWork.length > 0) this.processApplyThread(id);
        });
      }
    }
  }
}
