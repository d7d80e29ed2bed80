/** Read by the Vite plugin and by svelte-check. TypeScript in components is erasable, so no preprocessor runs. */
export default {
  compilerOptions: { runes: true },
};
