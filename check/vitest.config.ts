import { defineConfig } from 'vitest/config';

/** The architecture alone: it needs no services. */
export default defineConfig({
  test: {
    experimental: { viteModuleRunner: false },
    include: ['test/architecture.test.ts'],
    reporters: ['default'],
  },
});
