import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

// `npm run dev` beside a bridge: ORCH_HTTP_URL says where it listens.
const bridge = process.env['ORCH_HTTP_URL'] ?? 'http://127.0.0.1:8080';

export default defineConfig({
    plugins: [react()],
    server: { proxy: { '/api': bridge, '/docs': bridge, '/openapi.json': bridge } },
    worker: { format: 'es' },
    build: {
        target: 'es2022',
        outDir: 'dist',
        // Nothing stands in the page itself: its policy allows no inline script, and a data: address is none of ours.
        assetsInlineLimit: 0,
        modulePreload: { polyfill: false },
        reportCompressedSize: false,
        chunkSizeWarningLimit: 2000,
    },
    test: { include: ['test/**/*.test.ts'], environment: 'node' },
});
