import { parseConfChanges } from '../conf-change.ts';
import { Changer, type Membership } from '../confchange/changer.ts';
import { sortedIds } from '../quorum/joint.ts';
import { describeConfiguration, emptyConfiguration } from '../tracker/configuration.ts';
import { Inflights } from '../tracker/inflights.ts';
import { describeProgress } from '../tracker/progress.ts';
import type { ScenarioCase, ScenarioHandler } from './datadriven.ts';
import { checkOptions, flagOf, wordsOf } from './directive.ts';

/** Handler of `confchange/` scenarios: a chain of changes on one membership that starts empty. */
export function confChangeHandler(): ScenarioHandler {
  let membership: Membership = { config: emptyConfiguration, progress: new Map() };
  let lastIndex = 0;
  return (scenario) => {
    try {
      membership = change(membership, lastIndex, scenario);
    } catch (error) {
      return (error as Error).message;
    } finally {
      lastIndex++;
    }
    const { config, progress } = membership;
    const ordered = sortedIds(progress.keys()).flatMap((id) => progress.get(id) ?? []);
    return `${describeConfiguration(config)}\n${describeProgress(ordered)}`;
  };
}

function change(membership: Membership, lastIndex: number, scenario: ScenarioCase): Membership {
  checkOptions(scenario, scenario.command === 'enter-joint' ? ['autoleave'] : []);
  if (wordsOf(scenario).length > 0) throw new Error(`unknown argument ${wordsOf(scenario).join(' ')}`);
  const changes = parseConfChanges(scenario.input);
  const changer = new Changer(membership, lastIndex, () => new Inflights(10));
  switch (scenario.command) {
    case 'simple':
      return changer.simple(changes);
    case 'enter-joint':
      return changer.enterJoint(flagOf(scenario, 'autoleave'), changes);
    case 'leave-joint':
      if (changes.length > 0) throw new Error('this command takes no input');
      return changer.leaveJoint();
    default:
      throw new Error('unknown command');
  }
}
