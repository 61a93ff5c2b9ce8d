import { createContext, type ComponentType } from 'preact';
import { useContext } from 'preact/hooks';
import type { Identity } from '../kernel/api/types';
import type { Params } from '../kernel/route';
import type { Turn } from '../kernel/session/state';
import type { Workspace } from '../kernel/workspace';
import type { IconName } from './icon';
import type { LeaveGuard } from './leave_guard';

export type Role = Identity['role'];

/** What a place is shown with. */
export interface PlaceProps<Session extends string | null = string | null> {
  /** The chat it is opened over. */
  readonly sessionId: Session;
  /** What it is about, as it stands in the address. */
  readonly params: Params;
  /** To be set where what is shown wants to be asked before it gives way. */
  readonly guard: LeaveGuard;
  readonly onClose: () => void;
}

/** A line that begins with `/`, in the composer. */
export interface Command {
  readonly name: string;
  /** Where it stands among the others. */
  readonly at: number;
  readonly hint: () => string;
  /** What may follow the name; none where nothing does. */
  readonly choices?: (workspace: Workspace) => readonly string[];
  readonly takesWords?: boolean;
}

interface Entry {
  /** In the address, and of no other. */
  readonly id: string;
  /** Whose it is; without it everybody's. */
  readonly roles?: readonly Role[];
  /**
   * Where it is shown: in a dialog of its own, among the settings, beside the chat, or in its stead.
   * What stands beside it or in its stead has its own way to close it.
   */
  readonly pane: 'dialog' | 'settings' | 'side' | 'main';
  readonly title: () => string;
  /** In the sidebar, above the chats. */
  readonly sidebar?: { readonly icon: IconName };
  /** In the menu of a chat. */
  readonly chatMenu?: {
    readonly at: number;
    readonly icon: IconName;
    readonly isOffered?: (workspace: Workspace, hasChat: boolean) => boolean;
  };
  /** In the menu of a turn, and what it is about there. */
  readonly turnMenu?: { readonly icon: IconName; readonly params: (turn: Turn) => Params };
  readonly command?: Command & {
    /** What the words behind the name are about. */
    readonly params?: (words: string) => Params;
    /** Said to those whose it is not; without it they are not offered it. */
    readonly refused?: () => string;
  };
}

/** Something that can be opened: all that the shell, the menus, the commands and the router know of it. */
export type Place = Entry & (
  | { readonly needs: 'chat'; readonly load: () => Promise<ComponentType<PlaceProps<string>>> }
  | { readonly needs?: never; readonly load: () => Promise<ComponentType<PlaceProps>> }
);

/** A command that shows nothing of its own. */
export type Action = Command & (
  | { readonly needs: 'chat'; readonly run: (workspace: Workspace, sessionId: string, words: string) => void }
  | { readonly needs?: never; readonly run: (workspace: Workspace) => void }
);

export interface Offer {
  readonly places: readonly Place[];
  readonly actions: readonly Action[];
}

/** All there is, whoever reads. */
export const OfferContext = createContext<Offer>({ places: [], actions: [] });

export function useOffer(): Offer {
  return useContext(OfferContext);
}

export function isFor(place: Place, role: Role): boolean {
  return place.roles?.includes(role) ?? true;
}
