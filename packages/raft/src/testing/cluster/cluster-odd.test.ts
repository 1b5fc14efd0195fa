import { test } from 'node:test';
import { runSeeds } from './seeds.ts';

// See seeds.ts. Two files, so that two cores can share the seeds.
test('random clusters stay safe and recover, odd seeds', () => runSeeds(process.env, 1, 2));
