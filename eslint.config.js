import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';

const TESTS = ['**/*.test.ts'];

export default defineConfig(
  globalIgnores(['**/node_modules/', '**/dist/', '.data/', '**/.svelte-kit/', 'loadtest/*.js', 'loadtest/scenarios/**', 'loadtest/bench/peers/**']),
  // A rule is changed for everybody or for nobody.
  { linterOptions: { noInlineConfig: true, reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  ts.configs.recommended,
  svelte.configs.recommended,
  {
    languageOptions: {
      globals: globals.node,
      // The parser is one for all files: what is set here must be the same everywhere.
      parserOptions: { extraFileExtensions: ['.svelte'] },
    },
    rules: {
      // `== null` asks for absent and null at once: the fields of JSON.
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-console': 'error',
      'no-var': 'error',
      'prefer-const': 'error',
      'no-else-return': 'error',
      'max-lines': ['error', { max: 450, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/ban-ts-comment': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrors: 'all' }],
    },
  },
  {
    files: ['**/*.ts'],
    ignores: ['**/*.svelte.ts'],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/await-thenable': 'error',
    },
  },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser } },
    rules: {
      // TypeScript knows the globals.
      'no-undef': 'off',
      // Props are destructured at once; one that is bound makes the whole statement a `let`.
      'prefer-const': ['error', { destructuring: 'all' }],
      // One script and one template stand in one file.
      'max-lines-per-function': 'off',
    },
  },
  { files: ['web/**'], languageOptions: { globals: globals.browser } },
  { files: ['engine/**'], languageOptions: { globals: {} } },
  // Command line programs speak to a person.
  { files: ['api/cli/**', 'api/main.ts', 'api/roles/**', 'loadtest/**', 'examples/**'], rules: { 'no-console': 'off' } },
  {
    files: TESTS,
    rules: {
      'max-lines-per-function': 'off',
      // How long a busy machine may keep a test waiting is said in vitest.config.ts alone.
      'no-restricted-syntax': [
        'error',
        { selector: "CallExpression[callee.object.name='vi'][callee.property.name=/^wait/]", message: 'expect.poll has the patience that vitest.config.ts gives.' },
        { selector: "CallExpression[callee.object.name='expect'][callee.property.name='poll'] > ObjectExpression > Property[key.name='timeout'][value.value<15000]", message: 'What is waited for comes late on a busy machine.' },
      ],
    },
  },
);
