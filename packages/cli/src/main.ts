#!/usr/bin/env -S node --max-semi-space-size=32
import { gateway } from './gateway/main.ts';
import { grpcProxy } from './grpc-proxy/main.ts';
import { serve } from './serve.ts';

const args = process.argv.slice(2);
const unserved = ['ctl', 'utl'];
if (args[0] === 'grpc-proxy') await grpcProxy(args.slice(1));
else if (args[0] === 'gateway') await gateway(args.slice(1), process.env);
else if (args[0] !== undefined && unserved.includes(args[0])) {
  process.stderr.write(`quorate: \`${args[0]}\` is not part of this release\n`);
  process.exitCode = 1;
} else {
  await serve(args, process.env);
}
