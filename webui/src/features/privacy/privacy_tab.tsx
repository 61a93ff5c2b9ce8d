import { useState } from 'preact/hooks';
import { sentence } from '../../kernel/api/http';
import { Loading } from '../../ui/dialog';
import { Icon } from '../../ui/icon';
import { Problem } from '../../ui/problem';
import { useResource } from '../../ui/use_part';
import { Egress, modes, type Wish } from './egress';
import { texts } from './texts';
import './privacy.css';

/** What becomes of personal data that is about to leave: a choice that counts at once. */
export function PrivacyTab() {
  const egress = useResource(Egress);
  const now = egress.value.value?.egress ?? null;
  const [wanted, setWanted] = useState<Wish | null>(null);
  const [said, setSaid] = useState<{ saved: boolean; problem: string }>({ saved: false, problem: '' });
  if (now === null) {
    return <Problem text={egress.problem.value} onRetry={() => egress.read()}><Loading /></Problem>;
  }
  const chosen: Wish = wanted ?? (now.from === 'tenant' ? now.pii : '');
  const choose = async (wish: Wish) => {
    setWanted(wish);
    setSaid({ saved: false, problem: '' });
    try {
      await egress.choose(wish);
      setSaid({ saved: true, problem: '' });
    } catch (error) {
      setSaid({ saved: false, problem: sentence(error) });
    }
    setWanted((other) => (other === wish ? null : other));
  };
  const asServer = now.from === 'configuration' ? texts.asServerNow(texts.modes[now.pii].toLowerCase()) : texts.asServer;
  const all: readonly (readonly [Wish, string, string])[] = [
    ['', asServer, texts.asServerMeans],
    ...modes.map((mode) => [mode, texts.modes[mode], texts.means[mode]] as const),
  ];
  return (
    <>
      <h3 id="privacy-title">{texts.title}</h3>
      <p class="settings-hint">{texts.hint}</p>
      <Problem text={said.problem || egress.problem.value} />
      <fieldset class="privacy-modes" aria-busy={wanted !== null}>
        <legend>{texts.legend}</legend>
        {all.map(([wish, name, means]) => (
          <label key={wish} class="privacy-mode" data-mode={wish || 'server'}>
            <input type="radio" name="privacy-mode" checked={chosen === wish} aria-describedby={`privacy-${wish || 'server'}`}
              onChange={() => void choose(wish)} />
            <span>
              <strong>{name}</strong>
              <small id={`privacy-${wish || 'server'}`}>{means}</small>
            </span>
          </label>
        ))}
      </fieldset>
      <p class="privacy-saved" role="status">
        {said.saved && <><Icon name="check" /><span>{texts.saved}</span></>}
      </p>
      <p class="settings-hint">{texts.limits}</p>
    </>
  );
}
