import type { ScenarioHandler } from '../datadriven.ts';
import { checkOptions, wordsOf } from '../directive.ts';
import { commands } from './commands.ts';
import { Environment } from './environment.ts';

/** Handler of `interaction/` scenarios: several nodes on one network. */
export function interactionHandler(): ScenarioHandler {
  const env = new Environment();
  return (scenario) => {
    try {
      const command = Object.hasOwn(commands, scenario.command) ? commands[scenario.command] : undefined;
      if (command === undefined) throw new Error('unknown command');
      const { words = [0, 0], options = [], run } = command;
      checkOptions(scenario, options);
      const count = wordsOf(scenario).length;
      if (count < words[0] || count > words[1]) throw new Error(`wrong number of arguments: ${count}`);
      run(env, scenario);
    } catch (error) {
      // Errors are printed even when nothing else is.
      return env.output.take() + (error as Error).message;
    }
    return env.output.take() || 'ok';
  };
}
