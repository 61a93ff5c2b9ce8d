import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Problem as ServerProblem, sentence } from '../../kernel/api/http';
import { Models, type TaggedProfile } from './model_store';
import { usePart } from '../../ui/use_part';
import {
  bodyOf, emptyForm, formOf, otherAddresses, refusalOf, validate, withAddress, type Field, type FieldErrors,
  type ProfileForm,
} from './profile_form';
import { quickStarts, type QuickStart } from './quick_start';
import { keyLine } from './words';
import { ConfirmDialog } from '../../ui/confirm_dialog';
import { Icon } from '../../ui/icon';
import { Conflict } from './conflict';
import { Choice, fieldId, TextInput, type FormParts, type TextField } from './field';
import { keyProblem } from './keys';
import { MoreFields } from './more_fields';
import { Problem } from '../../ui/problem';
import { SecretInput } from './secret_input';
import { useUnsaved, type LeaveGuard } from '../../ui/leave_guard';
import { Spinner, TestResult } from './test_result';
import { texts } from './texts';
import { t } from '../../kernel/texts/texts';

interface Props {
  /** The profile as it was read; null makes a new one. */
  opened: TaggedProfile | null;
  name: string;
  guard: LeaveGuard;
  onDone: () => void;
}

const kinds = () => [
  ['auto', texts.kinds.auto],
  ['openai_chat', texts.kinds.openai_chat],
  ['openai_responses', texts.kinds.openai_responses],
  ['anthropic', texts.kinds.anthropic],
] as const;

export function ProfileEditor({ opened, name, guard, onDone }: Props) {
  const models = usePart(Models);
  const [base, setBase] = useState(opened);
  const [form, setForm] = useState<ProfileForm>(
    () => (opened ? formOf(opened.profile) : { ...emptyForm, name }));
  const [errors, setErrors] = useState<FieldErrors>({});
  const [general, setGeneral] = useState('');
  const [secretProblem, setSecretProblem] = useState('');
  const [theirs, setTheirs] = useState<TaggedProfile | null>(null);
  const [busy, setBusy] = useState(false);
  const [touched, setTouched] = useState(false);
  /** What is done when the reader agrees to lose the changes. */
  const [leaving, setLeaving] = useState<{ go: () => void } | null>(null);
  const [start, setStart] = useState<QuickStart | null>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const secret = useRef<HTMLInputElement>(null);
  const givenName = useRef(name);
  /** Where else the key goes that this profile would use, and what is done when the reader agrees. */
  const [sharing, setSharing] = useState<{ with: readonly string[]; go: () => void } | null>(null);
  const said = useRef<HTMLDivElement>(null);

  // Without a scroll: what stands above says what this is about.
  useLayoutEffect(() => {
    heading.current?.closest('.settings-panel')?.scrollTo(0, 0);
    heading.current?.focus({ preventScroll: true });
  }, []);
  useLayoutEffect(() => {
    guard.current = (how, go) => {
      if (!touched && how !== 'escape') return false;
      leave(how === 'escape' ? onDone : go);
      return true;
    };
    return () => (guard.current = null);
  });

  useUnsaved(() => touched);

  const leave = (go: () => void) => (touched ? setLeaving({ go }) : go());

  const change = (next: ProfileForm, ...fields: Field[]) => {
    setForm(next);
    setTouched(true);
    const left = { ...errors };
    for (const field of fields) delete left[field];
    setErrors(left);
  };

  const onChange = (field: TextField, value: string) => {
    const next = field === 'base_url'
      ? withAddress(form, value, base?.profile ?? null)
      : { ...form, [field]: value };
    // Another provider's address: what the quick start said of its own is not so any more.
    if (start && next.provider !== start.fills.provider) setStart(null);
    change(next, field);
  };

  const quickly = (choice: QuickStart) => {
    setStart(choice);
    setErrors({});
    const moved = choice.fills.base_url !== form.base_url;
    // A name that an earlier choice gave is that choice's, not the reader's.
    const isOwnName = form.name !== '' && form.name !== givenName.current;
    const name = base || isOwnName ? form.name : nameFor(choice, models);
    givenName.current = name;
    change({
      ...form, name, resume: 'restart', context_window: '',
      ...choice.fills, model: moved ? '' : form.model,
    });
  };

  const show = (found: FieldErrors) => {
    setErrors(found);
    const first = Object.keys(emptyForm).find((field) => field in found) as Field | undefined;
    if (!first) return;
    requestAnimationFrame(() => {
      const input = document.getElementById(fieldId(first));
      input?.closest('details')?.setAttribute('open', '');
      input?.focus();
    });
  };

  const refuse = async (error: unknown) => {
    if (error instanceof ServerProblem && error.code === 'profile.changed') {
      try {
        setTheirs(await models.readProfile(form.name));
      } catch (gone) {
        const isGone = gone instanceof ServerProblem && gone.status === 404;
        if (isGone) setBase(null);
        setGeneral(isGone
          ? texts.editor.gone : sentence(gone));
      }
      return;
    }
    const { fields, general } = refusalOf(error);
    show(fields);
    setGeneral(general);
  };

  /** Whether all that the form holds is stored. */
  const store = async (over: TaggedProfile | null): Promise<boolean> => {
    let saved: TaggedProfile;
    try {
      const body = bodyOf(form, over?.profile ?? null);
      saved = await models.writeProfile(form.name, body, over?.etag ?? null);
    } catch (error) {
      await refuse(error);
      return false;
    }
    const key = secret.current?.value.trim() ?? '';
    if (key !== '') {
      try {
        await models.storeKey(saved.profile.provider, key);
      } catch (error) {
        setSecretProblem(keyProblem(error));
        secret.current?.focus();
        // Without its key it would answer chats no more: nothing is saved then.
        try {
          await models.takeBackProfile(over, saved);
          setBase(over && (await models.readProfile(form.name)));
        } catch {
          setBase(saved);
          setGeneral(texts.editor.halfSaved);
        }
        return false;
      }
      if (secret.current) secret.current.value = '';
    }
    setBase(saved);
    setForm(formOf(saved.profile));
    setTheirs(null);
    setTouched(false);
    return true;
  };

  const save = async (over: TaggedProfile | null, thenTest: boolean, mayShare = false) => {
    if (busy) return;
    const found = validate(form);
    setGeneral('');
    setSecretProblem('');
    show(found);
    if (Object.keys(found).length > 0) return;
    const hasKey = (secret.current?.value.trim() ?? '') !== '' ||
      models.credentials.peek().some((each) => each.provider === form.provider);
    const others = hasKey && !mayShare ? otherAddresses(form, models.profiles.peek() ?? [], over?.profile ?? null) : [];
    if (others.length > 0) {
      return setSharing({ with: others, go: () => { setSharing(null); void save(over, thenTest, true); } });
    }
    setBusy(true);
    const stored = await store(over);
    setBusy(false);
    if (!stored) return;
    if (thenTest) await models.testProfile(form.name);
    else onDone();
  };

  const takeTheirs = () => {
    if (!theirs) return;
    setBase(theirs);
    setForm(formOf(theirs.profile));
    setTheirs(null);
    setTouched(false);
    heading.current?.focus();
  };

  const test = models.tests.value.get(form.name);
  // What came of it stands at the form's end, where nobody may be looking.
  const opening = useRef(true);
  useEffect(() => {
    if (!opening.current) said.current?.scrollIntoView({ block: 'nearest' });
    opening.current = false;
  }, [theirs, general, test]);

  const parts: FormParts = { form, errors, onChange };
  const testing = test?.phase === 'running';
  const offers = test?.phase === 'done' ? test.test.models ?? [] : [];
  const key = models.credentials.value.find((each) => each.provider === form.provider);
  const names = (models.profiles.value ?? []).map((each) => each.name).filter((n) => n !== form.name);

  return (
    <form class="editor" autocomplete="off" noValidate
      onSubmit={(event) => { event.preventDefault(); void save(base, false); }}>
      <div class="settings-row">
        <button type="button" class="quiet small back" onClick={() => leave(onDone)}>
          <Icon name="back" /><span>{texts.editor.back}</span>
        </button>
      </div>
      <h3 ref={heading} tabIndex={-1}>{base ? texts.list.editThe(base.profile.name) : texts.editor.new}</h3>
      {base?.profile.source === 'configuration' && (
        <p class="settings-hint">{texts.editor.fromConfiguration}</p>
      )}

      <fieldset class="quick">
        <legend>{texts.quick.title}</legend>
        <div>
          {quickStarts.map((choice) => (
            <button key={choice.name} type="button" class="small" aria-pressed={choice === start}
              onClick={() => quickly(choice)}>
              {choice.name}
            </button>
          ))}
        </div>
        <p class="field-hint" role="status">{start?.note() ?? ''}</p>
      </fieldset>

      <div class="fields">
        <TextInput {...parts} field="name" disabled={base !== null} placeholder="default"
          hint={base ? undefined : texts.hints.name} />
        <TextInput {...parts} field="role" placeholder="dialogue"
          offers={['dialogue', 'summarize', 'embed']}
          hint={texts.hints.role} />
        <TextInput {...parts} field="base_url" wide placeholder="https://api.example.com/v1" />
        <TextInput {...parts} field="model" offers={offers}
          placeholder={start ? texts.hints.example(start.modelExample()) : ''} />
        <Choice {...parts} field="kind" options={kinds()} />
        <div class="field wide" data-field="secret">
          <label for="field-secret">{texts.editor.apiKey}</label>
          <SecretInput input={secret} id="field-secret" label={texts.editor.apiKey}
            placeholder={key ? texts.editor.keepKey : texts.editor.noKey}
            describedBy={`${secretProblem ? 'secret-problem ' : ''}secret-hint`}
            onInput={() => { setTouched(true); setSecretProblem(''); }} />
          {secretProblem && (
            <p class="field-problem" id="secret-problem" role="alert">
              <Icon name="alert" />{secretProblem}
            </p>
          )}
          <p class="field-hint" id="secret-hint">
            {key ? keyLine(key) : texts.editor.keyHint}
            {form.provider && texts.editor.keyOf(form.provider)}
          </p>
        </div>
      </div>

      <MoreFields {...parts} others={names}
        onFallbacks={(names) => change({ ...form, fallbacks: names }, 'fallbacks')} />

      <label class="check">
        <input type="checkbox" checked={form.enabled}
          onChange={(event) => change({ ...form, enabled: event.currentTarget.checked })} />
        <span>{texts.labels.enabled}</span>
      </label>

      <div class="said" ref={said}>
        {theirs && base && (
          <Conflict mine={base.profile} theirs={theirs.profile} onTheirs={takeTheirs}
            onMine={() => save(theirs, false)} />
        )}
        <Problem text={general} />
        <TestResult state={touched ? undefined : test} profile={touched ? '' : form.name}
          onPick={(model) => {
            change({ ...form, model }, 'model');
            document.getElementById(fieldId('model'))?.focus();
          }} />
      </div>
      <div class="editor-foot">
        <button type="button" onClick={() => leave(onDone)}>{touched ? t.cancel : texts.editor.leave}</button>
        <button type="button" aria-disabled={busy || testing}
          onClick={() => testing || void save(base, true)}>
          {testing ? <Spinner /> : <Icon name="pulse" />}
          <span>{testing ? texts.test.testing : texts.editor.saveAndTest}</span>
        </button>
        <button type="submit" class="primary" disabled={busy}>{t.save}</button>
      </div>
      {sharing && (
        <ConfirmDialog question={texts.editor.shareQuestion(form.provider)} yes={texts.editor.share} no={texts.editor.keepEditing}
          onNo={() => setSharing(null)} onYes={sharing.go}>
          {texts.editor.shareText(sharing.with.join(', '), form.base_url)}
        </ConfirmDialog>
      )}
      {leaving && (
        <ConfirmDialog question={texts.editor.discardQuestion} yes={texts.editor.discard} no={texts.editor.keepEditing}
          onNo={() => setLeaving(null)} onYes={leaving.go}>
          {texts.editor.discardText}
        </ConfirmDialog>
      )}
    </form>
  );
}

/** The first profile of all is the one that answers chats; the others are told apart. */
function nameFor(choice: QuickStart, models: Models): string {
  const taken = new Set((models.profiles.value ?? []).map((profile) => profile.name));
  if (!taken.has('default')) return 'default';
  const name = choice.name.toLowerCase();
  for (let i = 2; ; i++) {
    if (!taken.has(name)) return name;
    if (!taken.has(`${name}-${i}`)) return `${name}-${i}`;
  }
}
