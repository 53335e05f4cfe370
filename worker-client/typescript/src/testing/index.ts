export { TestEnvironment, TestRun, type Replayed } from './environment.js';
export { TestServer } from './server.js';
