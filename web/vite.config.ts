import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';
import { budgets } from './build/budgets.ts';
import { precompress } from './build/precompress.ts';

const api = process.env['API_URL'] ?? 'http://127.0.0.1:8080';

export default defineConfig({
  root: import.meta.dirname,
  plugins: [
    svelte(),
    budgets({
      shell: { entries: ['index.html'], maximumKb: 60 },
      trade: { entries: ['index.html', 'src/screens/trade/TradeScreen.svelte'], maximumKb: 130 },
    }),
    precompress(),
  ],
  build: {
    outDir: '../dist/web',
    emptyOutDir: true,
    manifest: true,
    target: 'es2023',
    // A data: URL would need an exception in the content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // Whoever starts the exchange for the first time did not ask what a bundler does when.
    rolldownOptions: { checks: { bundlerTimings: false } },
  },
  server: {
    host: '127.0.0.1',
    proxy: {
      '/api': api,
      '/v1': api,
      '/socket.io': { target: api, ws: true },
    },
  },
});
