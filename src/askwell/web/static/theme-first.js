// Runs before the first paint, as an ordinary script, so that a chosen theme never flashes the other one.
try {
  const theme = localStorage.getItem("askwell:theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // storage is blocked: the system's theme it is
}
