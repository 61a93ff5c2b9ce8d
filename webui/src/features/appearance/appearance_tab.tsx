import { appearance, setAppearance, type Theme } from './theme';
import { Choice } from '../../ui/choice';
import { texts } from './texts';

const themes: readonly Theme[] = ['system', 'light', 'dark'];
const sizes = [90, 100, 110, 125];
const widths = ['narrow', 'wide'] as const;
const thinkings = ['folded', 'open'] as const;

/** How the page looks in this browser; nothing of it is told to the server. */
export function AppearanceTab() {
  const { theme, textSize, width, thinking } = appearance.value;
  const words = texts;
  return (
    <>
      <Choice name={words.theme} values={themes} chosen={theme} label={(v) => words.themes[v]}
        onChoose={(v) => setAppearance({ theme: v })} />
      <Choice name={words.size} values={sizes} chosen={textSize} label={(v) => `${v} %`}
        onChoose={(v) => setAppearance({ textSize: v })} />
      <Choice name={words.width} values={widths} chosen={width} label={(v) => words.widths[v]}
        onChoose={(v) => setAppearance({ width: v })} />
      <Choice name={words.thinking} values={thinkings} chosen={thinking}
        label={(v) => words.thinkings[v]} onChoose={(v) => setAppearance({ thinking: v })} />
      <p class="settings-hint">{words.hint}</p>
    </>
  );
}
