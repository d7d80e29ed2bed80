/**
 * `npm run lint`: types and lint in one pass. The rules that ask for types ask the program that has just been
 * checked, so what the compiler worked out is not worked out again.
 */
import { ESLint } from 'eslint';
import ts from 'typescript';
import { root } from './tools.mjs';

const where = { getCanonicalFileName: (name) => name, getCurrentDirectory: () => root, getNewLine: () => '\n' };

function programOf(config) {
  const fail = (diagnostic) => {
    throw new Error(ts.formatDiagnostic(diagnostic, where));
  };
  // What a compiler keeps for its next run would be written after this one's end.
  const once = { incremental: false, tsBuildInfoFile: undefined };
  const { fileNames, options, errors } = ts.getParsedCommandLineOfConfigFile(config, once, { ...ts.sys, onUnRecoverableConfigFileDiagnostic: fail });
  errors.forEach(fail);
  return ts.createProgram({ rootNames: fileNames, options });
}

async function main() {
  process.chdir(root);
  const program = programOf('tsconfig.json');
  const diagnostics = ts.getPreEmitDiagnostics(program);
  process.stdout.write(ts.formatDiagnostics(diagnostics, where));
  // What the web app's own program has to say svelte-check tells, with what stands in components.
  const programs = [program, programOf('web/tsconfig.json')];
  const typed = { files: ['**/*.ts'], ignores: ['**/*.svelte.ts'], languageOptions: { parserOptions: { projectService: false, programs } } };
  const eslint = new ESLint({ overrideConfig: [typed] });
  const results = await eslint.lintFiles(['.']);
  process.stdout.write(await (await eslint.loadFormatter('stylish')).format(results));
  return diagnostics.length > 0 || results.some(({ errorCount, warningCount }) => errorCount + warningCount > 0) ? 1 : 0;
}

process.exitCode = await main();
