/** Tells api/cli/test.mjs, as JSON lines on file descriptor 3, how a run of vitest goes. */
import { writeSync } from 'node:fs';

const tell = (message) => writeSync(3, `${JSON.stringify(message)}\n`);

export default class TestReporter {
  onTestModuleEnd(module) {
    const counts = { passed: 0, failed: 0, skipped: 0 };
    const skips = [];
    for (const test of module.children.allTests()) {
      const { state, note } = test.result();
      if (state in counts) counts[state] += 1;
      if (state === 'skipped') skips.push({ test: `${module.relativeModuleId}: ${test.fullName}`, why: note ?? '' });
    }
    // A file that fails to load has no tests, and errors of its own.
    if (module.state() === 'failed' && counts.failed === 0) counts.failed = 1;
    tell({ type: 'file', file: module.relativeModuleId, ...counts, skips });
  }

  onTestRunEnd(_modules, unhandledErrors) {
    tell({ type: 'end', unhandled: unhandledErrors.length });
  }
}
