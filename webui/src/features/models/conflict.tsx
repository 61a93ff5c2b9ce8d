import type { ModelProfile } from '../../kernel/api/types';
import { differences } from './profile_form';
import { Icon } from '../../ui/icon';
import { texts } from './texts';

interface Props {
  /** What the form began with. */
  mine: ModelProfile;
  theirs: ModelProfile;
  onTheirs: () => void;
  onMine: () => void;
}

/** Someone saved the profile while it was being edited here: says what, and asks whose counts. */
export function Conflict({ mine, theirs, onTheirs, onMine }: Props) {
  return (
    <div class="conflict" role="alert">
      <p><Icon name="alert" /><strong>{texts.conflict.title}</strong></p>
      <ul>
        {differences(mine, theirs).map(({ label, was, is }) => (
          <li key={label}>{label}: <del>{was}</del> {texts.conflict.isNow} <ins>{is}</ins></li>
        ))}
      </ul>
      <div class="conflict-foot">
        <button type="button" class="small" onClick={onTheirs}>{texts.conflict.theirs}</button>
        <button type="button" class="small" onClick={onMine}>{texts.conflict.mine}</button>
      </div>
    </div>
  );
}
