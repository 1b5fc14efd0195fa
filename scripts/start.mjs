// `npm start`: sets the checkout up, then is the server itself, so that Ctrl-C reaches it.
import './setup.mjs';

await import('../packages/cli/dist/main.js');
