import { effect, signal } from '@preact/signals';
import { keep, kept } from '../../kernel/kept';

/** Light or dark, as the system has it or as the reader chose; kept in this browser. */
export type Theme = 'system' | 'light' | 'dark';

export interface Appearance {
  readonly theme: Theme;
  /** Per cent of the usual size of text. */
  readonly textSize: number;
  /** Of the column that a chat is read in. */
  readonly width: 'narrow' | 'wide';
  /** How what a model thinks is shown at first. */
  readonly thinking: 'folded' | 'open';
}

const stored = 'soma.appearance';
const usual: Appearance = {
  theme: 'system', textSize: 100, width: 'narrow', thinking: 'folded',
};

export const appearance = signal<Appearance>(read());

export function setAppearance(change: Partial<Appearance>): void {
  appearance.value = { ...appearance.peek(), ...change };
  keep(stored, JSON.stringify(appearance.peek()));
}

export function startAppearance(): void {
  window.addEventListener('storage', (event) => {
    if (event.key === stored) appearance.value = read();
  });
  effect(() => {
    const { theme, textSize, width } = appearance.value;
    const root = document.documentElement;
    if (theme === 'system') delete root.dataset.theme;
    else root.dataset.theme = theme;
    root.dataset.width = width;
    root.style.fontSize = textSize === 100 ? '' : `${textSize}%`;
    for (const meta of document.querySelectorAll<HTMLMetaElement>('meta[name=theme-color]')) {
      const own = meta.dataset.scheme ?? '';
      meta.media = theme === 'system' ? `(prefers-color-scheme: ${own})` : own === theme ? 'all' : 'not all';
    }
  });
}

function read(): Appearance {
  try {
    return { ...usual, ...(JSON.parse(kept(stored) ?? '{}') as Partial<Appearance>) };
  } catch {
    return usual;
  }
}
