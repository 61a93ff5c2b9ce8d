import { computed, signal } from '@preact/signals';
import type { Identity } from './api/types';
import { t } from './texts/texts';
import { account } from './account';

export interface SettingsTab {
  readonly id: string;
  readonly name: string;
}

/** What the dialog is to show first; `profile` opens that profile's form. */
export interface SettingsWish {
  readonly tab: string;
  readonly profile?: string;
}

export const settingsWish = signal<SettingsWish | null>(null);

/** The tabs this reader may use. */
export const settingsTabs = computed(() =>
  typeof account.value === 'object' ? tabsOf(account.value) : [],
);

const forAdmins = new Set(['models', 'tools', 'keys']);

export function tabsOf(who: Identity): readonly SettingsTab[] {
  const { tabs } = t.settings;
  const all = ['models', 'tools', 'keys', 'appearance', 'speech', 'about'] as const;
  const own = who.role === 'admin' ? all : all.filter((id) => !forAdmins.has(id));
  return own.map((id) => ({ id, name: tabs[id] }));
}

export function openSettings(wish: Partial<SettingsWish> = {}): void {
  const tab = wish.tab ?? settingsTabs.value[0]?.id;
  if (tab !== undefined) settingsWish.value = { ...wish, tab };
}
