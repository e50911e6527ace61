import { z } from 'zod';
import { builder, failure } from '../schema/builder.ts';
import { checked, instant } from '../schema/input.ts';

builder.mutationFields((t) => ({
  advanceClock: t.field({
    type: 'DateTime',
    authScopes: { scope: 'workspace:write' },
    description: 'Simulation only: moves the clock forward, running in order whatever falls due on the way.',
    args: { to: t.arg({ type: 'DateTime', required: true }) },
    resolve: async (_, args, { movableClock }) => {
      const { to } = checked(z.object({ to: instant }), args, []);
      if (!movableClock) {
        const message =
          'The clock can be moved only in simulation, where one process does everything (ROLE=all).';
        throw failure('INVALID_INPUT', message);
      }
      try {
        await movableClock.advance(to);
      } catch (error) {
        if (error instanceof RangeError) throw failure('INVALID_INPUT', error.message);
        throw error;
      }
      return movableClock.now();
    },
  }),
}));
