import { memo } from 'preact/compat';
import type { Memory } from '../../kernel/api/types';
import { Toasts } from '../../kernel/toasts';
import { useWorkspace } from '../../ui/use_part';
import { Icon } from '../../ui/icon';
import { MemoryEditing } from './editing';
import { expiryWords } from './expiry_words';
import { DocumentLink } from './document_link';
import { Forgets } from './forgets';
import { gistOf } from './gist';
import { changeMemory } from './memory_api';
import { MemoryList } from './memory_list';
import { MemoryText } from './memory_text';
import { SourceLink } from './source_link';
import { texts } from './texts';
import { texts as turnTexts } from './turn_texts';
import { UsesButton, UsesPanel, useUses } from './uses';
import { fileOf, placeWords, whenWords, whoSaid } from './who';

interface Props {
  memory: Memory;
  words: readonly string[];
  onTag: (tag: string) => void;
}

export const MemoryCard = memo(({ memory, words, onTag }: Props) => {
  const workspace = useWorkspace();
  const { attempt } = workspace.of(Toasts);
  const { memory_id: id, text, pinned, tags, session_id: session } = memory;
  const me = workspace.identity.value.user_id;
  const gist = gistOf(text);
  const uses = useUses(id);
  const isSaid = memory.kind === 'message';
  const place = memory.place as Readonly<Record<string, unknown>> | undefined;
  const facts = [
    placeWords(place),
    isSaid || memory.owner === me ? '' : texts.item.by(memory.owner),
    memory.importance === 0.5 ? '' : texts.item.importance(String(memory.importance)),
    memory.state === 'stored' ? '' : texts.states[memory.state] ?? memory.state,
    expiryWords(memory.expires_at),
    whenWords(memory.updated_at) === whenWords(memory.created_at) ? '' : texts.item.changed(whenWords(memory.updated_at)),
  ].filter((fact) => fact !== '');
  // Nothing but the pin is written, so there is nothing to write over.
  const pin = () => attempt(async () => workspace.of(MemoryList).put(await changeMemory(id, { pinned: !pinned })));
  return (
    <article class="card memory-card" tabIndex={-1} data-memory={id} data-pinned={pinned} aria-label={gist}>
      <header>
        <strong>{whoSaid(memory, me)}</strong>
        {pinned && <span class="tag strong">{texts.item.isPinned}</span>}
        {facts.map((fact) => <span key={fact} class="memory-fact" dir="auto">{fact}</span>)}
        <time dateTime={memory.created_at} title={new Date(memory.created_at).toLocaleString()}>
          {whenWords(memory.created_at)}
        </time>
      </header>
      <MemoryText text={text} words={words} />
      {memory.cut && <p class="note">{texts.item.cut}</p>}
      <footer>
        <span class="memory-about">
          {session && (
            <SourceLink sessionId={session} messageId={memory.message_id ?? memory.tool_call_id ?? ''} />
          )}
          {memory.attachment_id && <DocumentLink attachmentId={memory.attachment_id} file={fileOf(place)} />}
          {tags.map((tag) => (
            <button key={tag} type="button" class="memory-tag" dir="auto" title={texts.item.tagged(tag)}
              onClick={() => onTag(tag)}>{tag}</button>
          ))}
          <UsesButton uses={uses} />
        </span>
        <span class="memory-does">
          <button type="button" class="quiet small" aria-pressed={pinned} title={pinned ? texts.item.unpin : texts.item.pin}
            aria-label={pinned ? texts.item.unpinThe(gist) : texts.item.pinThe(gist)} onClick={pin}>
            <Icon name="pin" />
          </button>
          <button type="button" class="quiet small" title={texts.item.edit} aria-label={texts.item.editThe(gist)}
            onClick={() => attempt(() => workspace.of(MemoryEditing).begin(id))}>
            <Icon name="pencil" />
          </button>
          <button type="button" class="quiet small" title={turnTexts.forget} aria-label={turnTexts.forgetThe(gist)}
            onClick={(event) => {
              focusNext(event.currentTarget);
              workspace.of(Forgets).forgetWithUndo(id, text);
            }}>
            <Icon name="trash" />
          </button>
        </span>
      </footer>
      <UsesPanel uses={uses} gist={gist} />
    </article>
  );
});

/** The card goes with its button: who works by keys goes on at the next. */
function focusNext(button: HTMLElement): void {
  const row = button.closest('li');
  const next = row?.nextElementSibling ?? row?.previousElementSibling;
  next?.querySelector<HTMLElement>('.memory-card')?.focus({ preventScroll: true });
}
