import type { ComponentType, VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { bring } from '../kernel/page_version';
import { address, close, holdAddress, open } from '../kernel/route';
import { Toasts } from '../kernel/toasts';
import type { LeaveGuard } from '../ui/leave_guard';
import { isFor, useOffer, type Place, type PlaceProps } from '../ui/place';
import { usePart, useWorkspace } from '../ui/use_part';
import { settingsFor } from './places';

type Settings = typeof import('./settings_dialog').SettingsDialog;

interface Code {
  readonly shown: ReadonlyMap<string, ComponentType<PlaceProps>>;
  readonly Settings: Settings | null;
}

export interface Open {
  readonly place: Place;
  readonly view: VNode;
}

/**
 * What is open over or beside the chat, or in its stead; null while that is nothing or not brought
 * yet. Its code is brought when it is first asked for: nobody needs it to read a chat.
 */
export function useOpenPlace(): Open | null {
  const { attempt } = usePart(Toasts);
  const workspace = useWorkspace();
  const { places } = useOffer();
  const [code, setCode] = useState<Code>({ shown: new Map(), Settings: null });
  const guard: LeaveGuard = useRef(null);
  useEffect(() => holdAddress((go) => guard.current?.('close', go) ?? false), []);

  const { chat, place: id, params } = address.value;
  const { role } = workspace.identity.value;
  const place = places.find((one) => one.id === id && isFor(one, role) && (one.needs !== 'chat' || chat !== null));
  const isSettings = place?.pane === 'settings';
  // The settings go from one to another at once.
  const wanted = isSettings ? settingsFor(places, workspace) : place ? [place] : [];
  const isThere = wanted.every((one) => code.shown.has(one.id)) && (!isSettings || code.Settings !== null);
  useEffect(() => {
    if (id === null) return;
    // Not this reader's, or of another version of the page.
    if (!place) return close(id);
    if (isThere) return;
    void attempt(async () => {
      try {
        setCode(await bring(() => codeOf(wanted, isSettings, code)));
      } catch (error) {
        close(id);
        throw error;
      }
    });
  }, [id, place, isThere]);

  const Shown = place && code.shown.get(place.id);
  if (!place || !Shown || !isThere) return null;
  const view = (
    <Shown key={place.id} sessionId={chat} params={params} guard={guard} onClose={() => close(place.id)} />
  );
  if (!isSettings || !code.Settings) return { place, view };
  const dialog = (
    <code.Settings panes={wanted} shown={place.id} guard={guard} onShow={open}
      onClose={() => close(address.peek().place ?? '')}>
      {view}
    </code.Settings>
  );
  return { place, view: dialog };
}

async function codeOf(wanted: readonly Place[], isSettings: boolean, known: Code): Promise<Code> {
  const [dialog, ...loaded] = await Promise.all([
    isSettings ? import('./settings_dialog') : null, ...wanted.map((place) => place.load()),
  ]);
  const shown = new Map(known.shown);
  // A place that needs a chat is shown over one alone.
  wanted.forEach((place, i) => shown.set(place.id, loaded[i] as ComponentType<PlaceProps>));
  return { shown, Settings: dialog?.SettingsDialog ?? known.Settings };
}
