// Runs before the first paint, so a chosen theme never flashes the other one. A file of its own: the
// content security policy allows no inline script.
try {
  for (const [name, values] of [['theme', ['light', 'dark']], ['palette', ['vivid', 'contrast']]]) {
    const value = localStorage.getItem(`ccx.${name}`);
    if (values.includes(value)) document.documentElement.dataset[name] = value;
  }
} catch {
  // Storage is off: the system's preference stands.
}
