// `npm start`: sets the checkout up, then is the server itself, so that signals reach it.
import './setup.mjs';

await import('../packages/cli/dist/main.js');
