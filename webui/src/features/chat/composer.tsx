import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Uploads } from '../files/attach';
import type { SessionStore } from '../../kernel/session/session_store';
import type { AttachmentRef } from '../../kernel/session/state';
import { ServerConfig } from '../../kernel/server_config';
import { commandOf, commandsOf, completionsOf, type Completion } from './commands';
import { Drafts } from '../../kernel/drafts';
import { ToolOffers } from '../tools/tool_offers';
import { useOffer } from '../../ui/place';
import { usePart, useWorkspace } from '../../ui/use_part';
import { CompletionList, completionId } from './completion_list';
import { Icon, StopIcon } from '../../ui/icon';
import { isTouch } from '../../ui/pointer';
import { UploadList } from '../files/upload_list';
import { useDictation, type Dictating } from '../speech/use_dictation';
import { texts } from './texts';
import { texts as filesTexts } from '../files/texts';
import { texts as speechTexts } from '../speech/texts';
import { t } from '../../kernel/texts/texts';
import './composer.css';

interface Props {
  /** The chat the text belongs to; each keeps its own draft. */
  chat: string;
  store: SessionStore | null;
  busy: boolean;
  disabled: boolean;
  onSend: (text: string, files: readonly AttachmentRef[]) => void;
  onStop: (() => void) | null;
}

const heightMaxPx = 240;

export function Composer({ chat, store, busy, disabled, onSend, onStop }: Props) {
  const workspace = useWorkspace();
  const drafts = usePart(Drafts);
  const uploads = usePart(Uploads);
  const tools = usePart(ToolOffers);
  const limits = usePart(ServerConfig).now.limits;
  const area = useRef<HTMLTextAreaElement>(null);
  const [text, setText] = useState(drafts.of(chat));
  const [picked, setPicked] = useState(0);
  const [dismissed, setDismissed] = useState('');
  const commands = commandsOf(useOffer(), workspace, store?.id ?? null);
  const offered = text === dismissed ? [] : completionsOf(commands, workspace, text);
  const at = Math.min(picked, offered.length - 1);
  const files = uploads.of(chat);
  const dictation = useDictation(area, chat, (value) => change(value));
  const mayAttach = uploads.max > 0;
  const canSend = text.trim() !== '' && !disabled && files.every((file) => file.phase === 'done');
  const over = text.length - (limits?.message_chars_max ?? Infinity);

  useLayoutEffect(() => {
    setText(drafts.of(chat));
    if (!isTouch()) area.current?.focus();
    return drafts.onChange((changed) => {
      if (changed === chat) setText(drafts.of(chat));
    });
  }, [chat]);

  useLayoutEffect(() => {
    const box = area.current;
    if (!box) return;
    box.style.height = 'auto';
    box.style.height = `${Math.min(box.scrollHeight, heightMaxPx)}px`;
  }, [text]);

  // Read when they are first begun to be asked for.
  const asksForTools = text.startsWith('/t');
  useEffect(() => (asksForTools ? tools.watch() : undefined), [asksForTools, tools]);

  const change = (value: string) => {
    drafts.set(chat, value);
    setText(value);
    setPicked(0);
  };

  const send = (value = text) => {
    const words = value.trim();
    const command = commandOf(commands, words);
    if (command) {
      change('');
      return command[0].run(command[1]);
    }
    if (words === '' || !canSend || over > 0) return;
    dictation.end();
    // It is in the outbox before it is out of the draft.
    onSend(words, uploads.take(chat).map((made) => ({
      id: made.id, filename: made.filename, contentType: made.content_type, sizeBytes: made.size_bytes,
    })));
    change('');
  };

  const take = (completion: Completion) => {
    if (completion.isWhole) send(completion.text);
    else change(`${completion.text} `);
    area.current?.focus();
  };

  const onKeyDown = (event: KeyboardEvent) => {
    // While an input method composes, Enter belongs to it; Safari says so only by the key code.
    if (event.isComposing || event.keyCode === 229) return;
    const completion = offered[at];
    if (completion) {
      const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (by !== undefined) {
        event.preventDefault();
        return setPicked((at + by + offered.length) % offered.length);
      }
      if (event.key === 'Escape') {
        event.preventDefault();
        event.stopPropagation();
        return setDismissed(text);
      }
      if (event.key === 'Tab' && !event.shiftKey) {
        event.preventDefault();
        return change(completion.isWhole ? completion.text : `${completion.text} `);
      }
    }
    if (event.key !== 'Enter' || event.shiftKey) return;
    // A keyboard on the screen has no other way to a new line.
    const isAsked = event.ctrlKey || event.metaKey;
    if (isTouch() && !isAsked && !completion) return;
    event.preventDefault();
    if (completion && completion.text !== text.trim()) take(completion);
    else send();
  };

  return (
    <form class="composer" onSubmit={(event) => { event.preventDefault(); send(); }}
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || event.defaultPrevented || !dictation.listening) return;
        event.preventDefault();
        event.stopPropagation();
        dictation.stop();
      }}>
      <UploadList uploads={files} />
      {offered.length > 0 && <CompletionList offered={offered} at={at} onTake={take} />}
      {mayAttach && <AttachButton onFiles={(chosen) => uploads.attach(chat, chosen)} />}
      {/* Not beside Stop: what goes there when Stop goes would get its second click. */}
      {dictation.offered && <DictateButton dictation={dictation} />}
      <textarea ref={area} rows={1} value={text} dir="auto" aria-label={texts.composer.message}
        enterkeyhint={isTouch() ? 'enter' : 'send'}
        placeholder={busy ? texts.composer.queueHere : texts.composer.writeHere}
        aria-autocomplete="list" aria-controls={offered.length > 0 ? 'completions' : undefined}
        aria-invalid={over > 0} aria-describedby="too-long"
        aria-activedescendant={offered.length > 0 ? completionId(at) : undefined}
        onInput={(event) => { change(event.currentTarget.value); dictation.typed(); }} onKeyDown={onKeyDown}
        onPaste={(event) => {
          const pasted = [...(event.clipboardData?.files ?? [])];
          if (!mayAttach || pasted.length === 0) return;
          event.preventDefault();
          uploads.attach(chat, pasted);
        }} />
      {onStop && <StopButton onStop={onStop} area={area} />}
      <button type="submit" class="round send" disabled={!canSend || over > 0}
        aria-label={busy ? texts.composer.queueIt : t.send} title={busy ? texts.composer.queue : t.send}>
        <Icon name="send" />
      </button>
      <p class="listening" role="status">{dictation.listening && speechTexts.listening}</p>
      <p id="too-long" class="too-long" role="status">
        {over > 0 ? texts.composer.tooLong(over) : text !== '' && drafts.unkept.value.has(chat) && texts.composer.unkept}
      </p>
    </form>
  );
}

/** Takes the focus along when it goes with the answer: it would fall to the page. */
function StopButton({ onStop, area }: { onStop: () => void; area: RefObject<HTMLTextAreaElement> }) {
  const button = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => {
    const own = button.current;
    return () => {
      if (document.activeElement === own && !isTouch()) area.current?.focus();
    };
  }, []);
  return (
    <button ref={button} type="button" class="round stop" onClick={onStop} aria-label={t.stop} title={t.stop}>
      <StopIcon />
    </button>
  );
}

function DictateButton({ dictation }: { dictation: Dictating }) {
  const { listening } = dictation;
  const label = listening ? speechTexts.stop : speechTexts.start;
  return (
    <button type="button" class="round quiet dictate" aria-pressed={listening} aria-label={label}
      title={label} onClick={() => (listening ? dictation.stop() : dictation.start())}>
      <Icon name="mic" />
    </button>
  );
}

function AttachButton({ onFiles }: { onFiles: (files: readonly File[]) => void }) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <input ref={input} type="file" multiple hidden aria-label={filesTexts.choose}
        onChange={(event) => {
          onFiles([...(event.currentTarget.files ?? [])]);
          event.currentTarget.value = '';
        }} />
      <button type="button" class="round quiet" onClick={() => input.current?.click()}
        aria-label={filesTexts.attach} title={filesTexts.attach}>
        <Icon name="clip" />
      </button>
    </>
  );
}
