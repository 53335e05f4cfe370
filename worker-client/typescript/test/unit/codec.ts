import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Json, PayloadCodec } from '../../src/index.js';

/** AES-256-GCM. */
export const encryption = (key: Buffer): PayloadCodec => ({
    encode(value) {
        const iv = randomBytes(12),
            cipher = createCipheriv('aes-256-gcm', key, iv);
        return Buffer.concat([iv, cipher.update(JSON.stringify(value)), cipher.final(), cipher.getAuthTag()]).toString('base64');
    },
    decode(value) {
        const bytes = Buffer.from(value as string, 'base64'),
            decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12));
        decipher.setAuthTag(bytes.subarray(-16));
        return JSON.parse(decipher.update(bytes.subarray(12, -16)).toString() + decipher.final().toString()) as Json;
    },
});
