import { canSpeak } from '../../state/speech';
import { appearance, setAppearance, type Theme } from '../../state/theme';
import { t } from '../../texts/texts';

const themes: readonly Theme[] = ['system', 'light', 'dark'];
const sizes = [90, 100, 110, 125];
const widths = ['narrow', 'wide'] as const;
const thinkings = ['folded', 'open'] as const;
const louds = ['asked', 'always'] as const;

/** How the page looks in this browser; nothing of it is told to the server. */
export function AppearanceTab() {
  const { theme, textSize, width, thinking, aloud } = appearance.value;
  const words = t.appearance;
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
      {canSpeak && (
        <Choice name={words.aloud} values={louds} chosen={aloud} label={(v) => words.alouds[v]}
          onChoose={(v) => setAppearance({ aloud: v })} />
      )}
      <p class="settings-hint">{words.hint}</p>
    </>
  );
}

interface ChoiceProps<Value> {
  name: string;
  values: readonly Value[];
  chosen: Value;
  label: (value: Value) => string;
  onChoose: (value: Value) => void;
}

function Choice<Value extends string | number>(props: ChoiceProps<Value>) {
  const { name, values, chosen, label, onChoose } = props;
  return (
    <fieldset class="choice">
      <legend>{name}</legend>
      {values.map((value) => (
        <label key={value}>
          <input type="radio" name={name} checked={value === chosen} onChange={() => onChoose(value)} />
          <span>{label(value)}</span>
        </label>
      ))}
    </fieldset>
  );
}
