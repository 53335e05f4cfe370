export { TestEnvironment, TestRun, type Replayed } from './environment.js';
export { recordedHistory } from './recorded.js';
export { TestServer } from './server.js';
