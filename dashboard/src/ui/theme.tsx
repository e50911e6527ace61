import { useEffect, useState } from 'react';

type Theme = 'system' | 'light' | 'dark';

const name = 'callwell-theme';

/** Light, dark, or as the system is. */
export function ThemeSwitch() {
  const [theme, setTheme] = useState(() => (localStorage.getItem(name) ?? 'system') as Theme);
  useEffect(() => {
    document.documentElement.dataset['theme'] = theme;
    localStorage.setItem(name, theme);
  }, [theme]);
  return (
    <label className="theme">
      <span className="hidden">Appearance</span>
      <select value={theme} onChange={(event) => setTheme(event.target.value as Theme)}>
        <option value="system">As the system</option>
        <option value="light">Light</option>
        <option value="dark">Dark</option>
      </select>
    </label>
  );
}
