import type { ScenarioCase } from '../datadriven.ts';
import { commands } from './commands.ts';
import { Environment } from './environment.ts';

/** Handler of `interaction/` scenarios: several nodes on one network. */
export function interactionHandler(): (scenario: ScenarioCase) => string {
  const env = new Environment();
  return (scenario) => {
    try {
      const command = Object.hasOwn(commands, scenario.command) ? commands[scenario.command] : undefined;
      if (command === undefined) throw new Error('unknown command');
      command(env, scenario);
    } catch (error) {
      // Errors are printed even when nothing else is.
      return env.output.take() + (error as Error).message;
    }
    return env.output.take() || 'ok';
  };
}
