export type * from './api.js';
export { Client, Run, type Queryable, type RunEvent, type RunStatus, type TriggerOptions } from './client.js';
export { defineTask, defineWorkflow } from './define.js';
export { CancelledError, OrchError, SkipTask, TaskError, type ErrorClass, type ErrorFields } from './errors.js';
export type { Duration, Json } from './json.js';
export { DirectoryStore, load, PayloadRef, prunePayloads, type PayloadCodec, type PayloadOptions, type PayloadStore } from './payloads.js';
export { S3Store, type S3Options } from './s3.js';
export { Worker } from './worker.js';
export { parseYaml } from './yaml.js';
