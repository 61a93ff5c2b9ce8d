import { useLayoutEffect, useRef } from 'preact/hooks';
import { Toasts } from '../../kernel/toasts';
import { usePart } from '../../ui/use_part';
import { Icon } from '../../ui/icon';
import { Problem } from '../../ui/problem';
import { dayOf, expiresAt, later, terms, type Expiry, type Term } from './expiry';
import { draftOf, MemoryEditing, textCharsMax, type Draft, type Editing } from './editing';
import { expiryWords } from './expiry_words';
import { texts } from './texts';
import { t } from '../../kernel/texts/texts';

interface FieldsProps {
  draft: Draft;
  label: string;
  isFixed?: boolean;
  onWrite: (part: Partial<Draft>) => void;
  onKeep: () => void;
  onLeave: () => void;
}

function Fields({ draft, label, isFixed = false, onWrite, onKeep, onLeave }: FieldsProps) {
  const area = useRef<HTMLTextAreaElement>(null);
  // Before the next key: what is typed at once is to be in it.
  useLayoutEffect(() => area.current?.focus(), []);
  return (
    <div class="memory-fields" onKeyDown={(event) => {
      if (event.isComposing) return;
      if (event.key === 'Escape') {
        event.stopPropagation();
        onLeave();
      } else if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        onKeep();
      }
    }}>
      <label>
        <span>{label}</span>
        <textarea ref={area} rows={4} dir="auto" value={draft.text} readOnly={isFixed}
          {...(isFixed ? {} : { maxLength: textCharsMax })}
          onInput={(event) => onWrite({ text: event.currentTarget.value })} />
      </label>
      <div class="memory-fields-row">
        <label>
          <span>{texts.tags}</span>
          <input value={draft.tags} dir="auto" autocomplete="off" onInput={(event) => onWrite({ tags: event.currentTarget.value })} />
        </label>
        <label>
          <span>{texts.importance} <output>{draft.importance}</output></span>
          <input type="range" min={0} max={1} step={0.1} value={draft.importance}
            onInput={(event) => onWrite({ importance: Number(event.currentTarget.value) })} />
        </label>
      </div>
      <ExpiryFields expiry={draft.expiry} onPick={(expiry) => onWrite({ expiry })} />
    </div>
  );
}

/** For how long it is kept: a term from now, or up to a day. */
function ExpiryFields({ expiry: { term, until }, onPick }: { expiry: Expiry; onPick: (expiry: Expiry) => void }) {
  const pick = (next: Term) => onPick({ term: next, until: next === 'date' ? until || dayOf(later(new Date(), 7)) : '' });
  return (
    <div class="memory-fields-row memory-expiry">
      <label>
        <span>{texts.expiry}</span>
        <select value={term} onChange={(event) => pick(event.currentTarget.value as Term)}>
          {terms.map((one) => <option key={one} value={one}>{texts.terms[one]}</option>)}
        </select>
      </label>
      {term === 'date' && (
        <label>
          <span>{texts.until}</span>
          <input type="date" value={until} min={dayOf(new Date())}
            onInput={(event) => onPick({ term, until: event.currentTarget.value })} />
        </label>
      )}
    </div>
  );
}

/** A note that is made. */
export function NoteForm() {
  const editing = usePart(MemoryEditing);
  const { say } = usePart(Toasts);
  const note = editing.note.value;
  if (!note) return null;
  const keep = async () => {
    const isNew = await editing.keepNote();
    if (isNew !== null) say(isNew ? texts.noted : texts.notedBefore);
  };
  const leave = () => {
    // What is written is not lost by a key.
    if (note.text.trim() === '') editing.endNote();
  };
  return (
    <form class="card memory-form" noValidate aria-label={texts.add} onSubmit={(event) => { event.preventDefault(); void keep(); }}>
      <Problem text={note.problem} />
      <Fields draft={note} label={texts.note} onWrite={(part) => editing.writeNote(part)} onKeep={() => void keep()} onLeave={leave} />
      <div class="memory-form-foot">
        <button type="button" class="small" onClick={() => editing.endNote()}>{t.cancel}</button>
        <button type="submit" class="small primary" disabled={note.isBusy}>{t.save}</button>
      </div>
    </form>
  );
}

/** A memory that is changed. */
export function EditForm({ edited, onDone }: { edited: Editing; onDone: () => void }) {
  const editing = usePart(MemoryEditing);
  const { base, draft, theirs, isGone, problem, isBusy } = edited;
  const isFixed = base.text.length > textCharsMax;
  const run = async (work: () => Promise<boolean>) => {
    if (await work()) onDone();
  };
  const save = () => void run(() => editing.save());
  const leave = () => {
    if (editing.edited.peek() && !editing.isUnsaved) end();
  };
  const end = () => {
    editing.end();
    onDone();
  };
  return (
    <form class="card memory-form" noValidate aria-label={texts.edit.opened} data-memory={base.memory_id}
      onSubmit={(event) => { event.preventDefault(); save(); }}>
      <Problem text={problem} />
      <Fields draft={draft} label={texts.edit.text} isFixed={isFixed} onWrite={(part) => editing.write(part)} onKeep={save} onLeave={leave} />
      {isFixed && <p class="note">{texts.edit.tooLong}</p>}
      {!isFixed && base.kind === 'message' && <p class="note">{texts.edit.event}</p>}
      {theirs && <Conflict edited={edited} onMine={() => void run(() => editing.saveMine())} />}
      {isGone ? (
        <div class="memory-conflict" role="alert">
          <p><Icon name="alert" /><strong>{texts.edit.gone}</strong></p>
          <div class="memory-form-foot">
            <button type="button" class="small" onClick={end}>{t.discard}</button>
            <button type="button" class="small primary" disabled={isBusy} onClick={() => void run(() => editing.keepAsNote())}>{texts.edit.keepAsNote}</button>
          </div>
        </div>
      ) : !theirs && (
        <div class="memory-form-foot">
          <button type="button" class="small" onClick={end}>{t.cancel}</button>
          <button type="submit" class="small primary" disabled={isBusy}>{t.save}</button>
        </div>
      )}
    </form>
  );
}

/** Somebody changed it while it was changed here: shows both, and asks which counts. */
function Conflict({ edited: { draft, theirs }, onMine }: { edited: Editing; onMine: () => void }) {
  const editing = usePart(MemoryEditing);
  if (!theirs) return null;
  return (
    <div class="memory-conflict" role="alert">
      <p><Icon name="alert" /><strong>{texts.conflict.title}</strong></p>
      <div class="memory-both">
        <Version name={texts.conflict.theirs} draft={draftOf(theirs.memory)} />
        <Version name={texts.conflict.mine} draft={draft} />
      </div>
      <div class="memory-form-foot">
        <button type="button" class="small" onClick={() => editing.takeTheirs()}>{texts.conflict.takeTheirs}</button>
        <button type="button" class="small" onClick={onMine}>{texts.conflict.saveMine}</button>
      </div>
    </div>
  );
}

function Version({ name, draft: { text, tags, importance, expiry } }: { name: string; draft: Draft }) {
  return (
    <section aria-label={name}>
      <h2>{name}</h2>
      <p class="memory-text" dir="auto">{text}</p>
      <p class="memory-fact" dir="auto">
        {tags || texts.conflict.noTags} · {texts.item.importance(String(importance))} · {expiryWords(expiresAt(expiry)) || texts.conflict.always}
      </p>
    </section>
  );
}
