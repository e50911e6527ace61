/**
 * One process of a deployment: the program as it is, on a clock that is as many milliseconds ahead of the machine's as
 * its argument says. The clock is set when the code is loaded, so that all processes agree to the millisecond.
 */
import { flushCompileCache } from 'node:module';
import '../../src/program.ts';

process.env['CLOCK_START'] = new Date(Date.now() + Number(process.argv[2])).toISOString();
await import('../../src/main.ts');
flushCompileCache(); // whoever is killed leaves nothing at its end
