// Runs before the first paint, so a chosen theme never flashes the other one. A file of its own: the
// content security policy allows no inline script.
try {
  const theme = localStorage.getItem('ccx.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // Storage is off: the system's preference stands.
}
