interface ChoiceProps<Value> {
  name: string;
  values: readonly Value[];
  chosen: Value;
  label: (value: Value) => string;
  onChoose: (value: Value) => void;
}

/** One of a few, all in sight. */
export function Choice<Value extends string | number>(props: ChoiceProps<Value>) {
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
