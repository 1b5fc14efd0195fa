import type { Random } from '@quorate/base';
import { nextBelow } from '@quorate/base';
import type { DiscoveredServer } from '../discover-servers.ts';

/** A server behind the gateway. */
export type Endpoint = DiscoveredServer;

/** One in so many of the choices falls on servers without weight, where others have one (RFC 2782: a very small chance). */
const unweightedOneIn = 100;

/** Chooses the server of each connection: of the best priority that is reached, by weight, else in turn. */
export class EndpointPicker {
  readonly endpoints: readonly Endpoint[];
  private readonly random: Random;
  private readonly inactive = new Set<Endpoint>();
  private turn = 0;

  constructor(endpoints: readonly Endpoint[], random: Random) {
    this.endpoints = endpoints;
    this.random = random;
  }

  /** Undefined while none is reached. */
  pick(): Endpoint | undefined {
    const active = this.endpoints.filter((endpoint) => !this.inactive.has(endpoint));
    const best = Math.min(...active.map(({ priority }) => priority));
    const equals = active.filter(({ priority }) => priority === best);
    const weighted = equals.filter(({ weight }) => weight > 0);
    const unweighted = equals.filter(({ weight }) => weight === 0);
    const isByTurn = weighted.length === 0 || (unweighted.length > 0 && nextBelow(this.random, unweightedOneIn) === 0);
    if (isByTurn) return unweighted[this.turn++ % unweighted.length];
    let left = nextBelow(
      this.random,
      weighted.reduce((sum, { weight }) => sum + weight, 0),
    );
    return weighted.find(({ weight }) => {
      left -= weight;
      return left < 0;
    });
  }

  deactivate(endpoint: Endpoint): void {
    this.inactive.add(endpoint);
  }

  activate(endpoint: Endpoint): void {
    this.inactive.delete(endpoint);
  }

  /** Those that are not picked now. */
  get resting(): readonly Endpoint[] {
    return [...this.inactive];
  }
}
