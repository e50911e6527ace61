import { defineConfig } from 'vitest/config';

/** Node itself loads the code (type stripping), so that tests resolve modules exactly as production does. */
export default defineConfig({
  test: {
    experimental: { viteModuleRunner: false },
    globalSetup: ['test/support/services.ts'],
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    isolate: false, // files share what they import, which takes longer than most of them
    maxWorkers: 3, // tests wait a good part of their time
    testTimeout: 60_000,
    hookTimeout: 120_000,
    reporters: ['default'],
  },
});
