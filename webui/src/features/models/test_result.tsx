import { useState } from 'preact/hooks';
import { sentence } from '../../kernel/api/http';
import { Models, type TestState } from './model_store';
import { usePart } from '../../ui/use_part';
import { chatProfile, mayAnswerChats } from './profile_form';
import { testLine } from './words';
import { Icon } from '../../ui/icon';
import { Problem } from '../../ui/problem';
import { texts } from './texts';

export function TestButton({ name }: { name: string }) {
  const models = usePart(Models);
  const running = models.tests.value.get(name)?.phase === 'running';
  return (
    <button type="button" class="small" aria-label={texts.test.testThe(name)} aria-disabled={running}
      onClick={() => running || void models.testProfile(name)}>
      {running ? <Spinner /> : <Icon name="pulse" />}
      <span>{running ? texts.test.testing : texts.test.test}</span>
    </button>
  );
}

export function Spinner() {
  return <span class="spinner" aria-hidden="true" />;
}

interface Props {
  state: TestState | undefined;
  /** What was tested, to be offered for chats; '' offers nothing. */
  profile: string;
  /** Takes one of the models that the provider offers; without it they are only counted. */
  onPick?: (model: string) => void;
}

/** What was tested and works is what most people want to use. */
function UseForChats({ name }: { name: string }) {
  const models = usePart(Models);
  const [problem, setProblem] = useState('');
  const all = models.profiles.value ?? [];
  const mine = all.find((profile) => profile.name === name);
  if (!mine || !mayAnswerChats(mine)) return null;
  if (chatProfile(all) === mine) return <p>{texts.test.answersChats}</p>;
  const use = () => {
    setProblem('');
    models.answerChatsWith(name).catch((error: unknown) => setProblem(sentence(error)));
  };
  return (
    <>
      <p class="use-for-chats">
        <button type="button" class="small primary" onClick={use}>{texts.test.useForChats}</button>
      </p>
      <Problem text={problem} />
    </>
  );
}

const shownAtMost = 24;

export function TestResult({ state, profile, onPick }: Props) {
  const models = usePart(Models);
  if (state?.phase !== 'done') return <div role="status" />;
  const { test } = state;
  const offered = test.models ?? [];
  return (
    <div class={test.ok ? 'test-result good' : 'test-result bad'} role="status">
      <Icon name={test.ok ? 'check' : 'alert'} />
      <div>
        <p>{testLine(test)}</p>
        {test.code === 'llm.auth' && test.provider && !models.credentials.value.some((key) => key.provider === test.provider) && (
          <p>{texts.test.noKey(test.provider)}</p>
        )}
        {test.ok && <UseForChats name={profile} />}
        {test.code && <p class="test-code"><code>{test.code}</code></p>}
        {offered.length > 0 && (
          <>
            <p class="test-models">
              {texts.test.offers(offered.length)}
            </p>
            <ul class="offered">
              {offered.slice(0, shownAtMost).map((model) => (
                <li key={model}>
                  {onPick ? (
                    <button type="button" class="small" title={texts.test.use(model)}
                      onClick={() => onPick(model)}>{model}</button>
                  ) : <code>{model}</code>}
                </li>
              ))}
              {offered.length > shownAtMost && <li>{texts.test.more(offered.length - shownAtMost)}</li>}
            </ul>
          </>
        )}
      </div>
    </div>
  );
}
