export { World, type WorldEdge } from './cluster/world.ts';
export { drawScenario, type ScenarioLimits } from './faults/draw-scenario.ts';
export type * from './history/history.ts';
export { type RunResult, runScenario } from './run.ts';
export type { Fault, Scenario } from './scenario.ts';
export { failureFile, readScenarioFile, writeScenarioFile } from './scenario-file.ts';
export { shrink } from './shrink.ts';
