import { aboutPlaces } from '../features/about/places';
import { appearancePlaces } from '../features/appearance/places';
import { auditPlaces } from '../features/audit/places';
import { filePlaces } from '../features/files/places';
import { keyPlaces } from '../features/keys/places';
import { logPlaces } from '../features/log/places';
import { memoryPlaces } from '../features/memory/places';
import { modelPlaces } from '../features/models/places';
import { privacyPlaces } from '../features/privacy/places';
import { sessionActions, sessionPlaces } from '../features/sessions/places';
import { speechPlaces } from '../features/speech/places';
import { toolPlaces } from '../features/tools/places';
import { open } from '../kernel/route';
import type { Workspace } from '../kernel/workspace';
import { isFor, type Action, type Offer, type Place } from '../ui/place';
import { texts } from './texts';

/** Everything that can be opened. The settings stand in this order. */
const places: readonly Place[] = [
  ...modelPlaces, ...toolPlaces, ...keyPlaces, ...privacyPlaces, ...appearancePlaces, ...speechPlaces, ...aboutPlaces,
  ...logPlaces, ...filePlaces, ...sessionPlaces, ...memoryPlaces, ...auditPlaces,
];

const settings: Action = {
  name: 'settings', at: 90, hint: () => texts.settingsCommand, run: (workspace) => openSettings(workspace),
};

export const offer: Offer = { places, actions: [...sessionActions, settings] };

/** The settings that this reader may use. */
export function settingsFor(all: readonly Place[], workspace: Workspace): readonly Place[] {
  const { role } = workspace.identity.value;
  return all.filter((place) => place.pane === 'settings' && isFor(place, role));
}

export function openSettings(workspace: Workspace): void {
  const first = settingsFor(places, workspace)[0];
  if (first) open(first.id);
}
