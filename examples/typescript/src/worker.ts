// Serves both examples until SIGTERM.
import { Worker } from '@orch/client';
import { sendEmail, userSignupFlow } from './signup.js';
import { countWords, wordCount } from './words.js';

const log = (level: string, text: string) => console.error(JSON.stringify({ at: new Date(), level, text }));
await new Worker({ concurrency: 8, log }).serve(sendEmail, userSignupFlow, countWords, wordCount).run();
